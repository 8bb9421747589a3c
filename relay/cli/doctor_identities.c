// People whose mail Kratos cannot make: it hands all that it knows of them to its Jsonnet process
// through a buffer of 64 kB, as a JSON text within a JSON text.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/cleanup.h"
#include "relay/cli/doctor.h"
#include "relay/member_text.h"

enum { LIMIT_MS = 30000, ANSWER_MAX = 64 * 1024 * 1024, PAGE_SIZE = 250, PAGES_MAX = 40 };
// Beside the identity there are the mail's texts, the headers, and the body function: some 3 kB
// with Kratos' own templates, and more with HTML ones.
enum { BUFFER_BYTES = 64 * 1024, OTHER_BYTES = 3 * 1024, NEAR_BYTES = 44 * 1024 };
enum { NAMED_MAX = 5, NAMES_SIZE = 256 };
enum { PRINTED_INDENT = 3, PRINTED_DEPTH = 2 }; // as Kratos' Jsonnet prints; ctx.template_data

static const char subject[] = "kratos identities";

struct tally {
    size_t seen, large, near;
    bool is_more;
    size_t named;
    char names[NAMES_SIZE]; // ids of the first large ones
};

// What it is in Kratos' hands: a quote is \" there, and Go writes < > & as \u003c.
static size_t size_of(json_t *identity)
{
    json_object_del(identity, "credentials"); // those two are in no mail's data
    json_object_del(identity, "metadata_admin");
    AUTO_FREE char *text = json_dumps(identity, JSON_COMPACT);
    size_t size = 0;
    for (const char *at = text ? text : ""; *at; at++)
        size += strchr("\"\\", *at) ? 2 : strchr("<>&", *at) ? 7 : 1;
    return size;
}

// What the Jsonnet process gives back: each member and element on a line of its own.
static size_t printed_size_of(const json_t *identity)
{
    AUTO_FREE char *text = json_dumps(identity, JSON_INDENT(PRINTED_INDENT));
    size_t size = 0;
    for (const char *at = text ? text : ""; *at; at++)
        size += *at == '\n' ? 1 + PRINTED_INDENT * PRINTED_DEPTH : 1;
    return size;
}

static void weigh(const struct doctor *doctor, struct tally *tally, json_t *identity)
{
    size_t size = size_of(identity);
    size_t printed = doctor->kratos_reads_little ? printed_size_of(identity) : 0;
    size = printed > size ? printed : size;
    const char *id = member_text_or(identity, "id", "?");
    tally->seen++;
    if (size <= NEAR_BYTES)
        return;
    if (size <= BUFFER_BYTES - OTHER_BYTES) {
        tally->near++;
        return;
    }
    tally->large++;
    size_t used = strlen(tally->names);
    if (tally->named++ < NAMED_MAX)
        snprintf(tally->names + used, NAMES_SIZE - used, "%s%.36s", used ? ", " : "", id);
}

// False: it has been told.
static bool weigh_page(struct doctor *doctor, struct cli_client *client, const char *query,
                       struct tally *tally, struct cli_answer *ret_answer)
{
    static const struct advice unseen = {
        "people whose data are too large get no mail, and nobody is told",
        "see whether this is Kratos' admin address (port 4434, as a rule), or look by hand: "
        "docs/kratos.md, What Kratos loses"};
    AUTO_FREE char *url = NULL;
    if (asprintf(&url, "%s/admin/identities%s", doctor->kratos, query) < 0)
        abort();
    json_auto_t *identities = NULL;
    struct error err = {0};
    const struct cli_request request = {.url = url,
                                        .is_get = true,
                                        .limit_ms = LIMIT_MS,
                                        .answer_max = ANSWER_MAX,
                                        .ret_body = &identities};
    size_t index;
    json_t *identity;
    if (!cli_request(client, &request, ret_answer, &err)) {
        findings_tell(&doctor->findings, SEVERITY_ERROR, subject, &unseen, "%s", err.message);
        return false;
    }
    if (ret_answer->status != 200 || !json_is_array(identities)) {
        findings_tell(&doctor->findings, SEVERITY_ERROR, subject, &unseen,
                      "%s: answers %ld, and %s", url, ret_answer->status,
                      ret_answer->is_cut ? "more than 64 MB for 250 people" : "no list of people");
        return false;
    }
    json_array_foreach(identities, index, identity) weigh(doctor, tally, identity);
    tally->is_more = *ret_answer->next && json_array_size(identities) > 0;
    return true;
}

static void tell(struct doctor *doctor, const struct tally *tally)
{
    static const struct advice too_large = {
        "Kratos cannot put their data into a mail: each try fails, or posts nothing (the relay's "
        "log: `empty_payload`), until it is given up. They cannot log in by code, verify or "
        "recover",
        "move pictures and other bulk from traits and metadata_public to metadata_admin, or out of "
        "Kratos (docs/kratos.md)"};
    const char *bound = tally->is_more ? "the first " : "";
    if (tally->large > 0)
        findings_tell(&doctor->findings, SEVERITY_ERROR, subject, &too_large,
                      "%zu of %s%zu people have data of about 64 kB or more: %s%s", tally->large,
                      bound, tally->seen, tally->names, tally->large > NAMED_MAX ? ", ..." : "");
    if (tally->near > 0)
        findings_tell(&doctor->findings, SEVERITY_WARNING, subject, &too_large,
                      "%zu of %s%zu people come near to 64 kB of data", tally->near, bound,
                      tally->seen);
    if (tally->large == 0 && tally->near == 0)
        findings_tell(&doctor->findings, SEVERITY_FINE, subject, NULL,
                      "none of %s%zu people has data too large for a mail", bound, tally->seen);
}

void doctor_look_at_identities(struct doctor *doctor, struct cli_client *client)
{
    struct tally tally = {.names = ""};
    struct cli_answer answer;
    char query[sizeof(answer.next)];
    snprintf(query, sizeof(query), "?page_size=%d&per_page=%d", PAGE_SIZE, PAGE_SIZE);
    for (int page = 0; page < PAGES_MAX; page++) {
        if (!weigh_page(doctor, client, query, &tally, &answer))
            return;
        const char *next = strchr(answer.next, '?');
        if (!tally.is_more || !next)
            break;
        snprintf(query, sizeof(query), "%s", next);
    }
    tell(doctor, &tally);
}
