// Kratos, by its admin address: mail that it has lost, and mail that it does not hand over. What it
// has in its courier's table never comes to the relay, so nothing here could tell.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/cleanup.h"
#include "relay/base/clock.h"
#include "relay/base/timestamp.h"
#include "relay/cli/doctor.h"
#include "relay/member_text.h"

enum { LIMIT_MS = 20000, ANSWER_MAX = 32 * 1024 * 1024, PAGE_SIZE = 500, PAGES_MAX = 10 };
enum { LATE_MS = 60000, FRESH_MS = 24 * 3600 * 1000 };
enum { FEW_TRIES = 10 }; // 5 retries are the default, whatever number the versions make of them

static const char subject[] = "kratos";

// Which ones of a status are counted: those that were asked for before a moment. No other time
// tells anything, since Kratos leaves `updated_at` as it was when a message's status changes.
//
// Its courier takes the oldest ones first, and one after the other: one that was never tried, while
// a newer one was sent, was passed over.
enum kind { KIND_ANY, KIND_PASSED_OVER, KIND_OTHER };
struct wanted {
    enum kind kind;
    int64_t before_ms, newest_sent_ms;
};

// What there is of one status.
struct tally {
    size_t count; // of those that are wanted
    bool is_more; // than were looked at
    size_t fresh; // of those, made within a day
    json_int_t least_tries, most_tries;
};

static int64_t created_ms(const json_t *message)
{
    const char *text = member_text_or(message, "created_at", "");
    int64_t wall_ms;
    return timestamp_parse(text, strlen(text), &wall_ms) ? wall_ms : 0;
}

static bool is_wanted(const struct wanted *wanted, int64_t asked_for_ms, json_int_t tries)
{
    bool is_passed_over = tries == 0 && asked_for_ms < wanted->newest_sent_ms;
    bool is_right =
        wanted->kind == KIND_ANY || is_passed_over == (wanted->kind == KIND_PASSED_OVER);
    return is_right && asked_for_ms < wanted->before_ms;
}

static void count_one(struct tally *tally, const json_t *message, const struct wanted *wanted)
{
    int64_t asked_for_ms = created_ms(message);
    json_int_t tries = json_integer_value(json_object_get(message, "send_count"));
    if (!is_wanted(wanted, asked_for_ms, tries))
        return;
    if (tally->count == 0 || tries < tally->least_tries)
        tally->least_tries = tries;
    if (tries > tally->most_tries)
        tally->most_tries = tries;
    tally->count++;
    tally->fresh += clock_wall_ms() - asked_for_ms < FRESH_MS;
}

// One page of messages, which the caller json_decref()s. False: it has been told.
static bool get_page(struct doctor *doctor, struct cli_client *client, const char *query,
                     struct cli_answer *ret_answer, json_t **ret_messages)
{
    static const struct advice deaf = {
        "what Kratos has lost cannot be seen",
        "see whether this is its admin address (port 4434, as a rule), and it runs"};
    AUTO_FREE char *url = NULL;
    if (asprintf(&url, "%s/admin/courier/messages%s", doctor->kratos, query) < 0)
        abort();
    json_t *messages = NULL;
    struct error err = {0};
    const struct cli_request request = {.url = url,
                                        .is_get = true,
                                        .limit_ms = LIMIT_MS,
                                        .answer_max = ANSWER_MAX,
                                        .ret_body = &messages};
    if (!cli_request(client, &request, ret_answer, &err)) {
        findings_tell(&doctor->findings, SEVERITY_ERROR, subject, &deaf, "%s", err.message);
        return false;
    }
    if (ret_answer->status != 200 || !json_is_array(messages)) {
        findings_tell(&doctor->findings, SEVERITY_ERROR, subject, &deaf,
                      "%s: answers %ld, and no list of messages", url, ret_answer->status);
        json_decref(messages);
        return false;
    }
    *ret_messages = messages;
    return true;
}

// Page after page; of the answer's Link only the query counts, since Kratos may know itself by
// another address. False: it has been told.
static bool count(struct doctor *doctor, struct cli_client *client, const char *status,
                  const struct wanted *wanted, struct tally *ret_tally)
{
    struct cli_answer answer;
    char query[sizeof(answer.next)];
    snprintf(query, sizeof(query), "?status=%s&page_size=%d", status, PAGE_SIZE);
    for (int page = 0; page < PAGES_MAX; page++) {
        json_auto_t *messages = NULL;
        if (!get_page(doctor, client, query, &answer, &messages))
            return false;
        size_t index;
        json_t *message;
        json_array_foreach(messages, index, message) count_one(ret_tally, message, wanted);
        const char *next = strchr(answer.next, '?');
        ret_tally->is_more = next && json_array_size(messages) > 0;
        if (!ret_tally->is_more)
            break;
        snprintf(query, sizeof(query), "%s", next);
    }
    return true;
}

// When the newest message was asked for that was sent; 0: none was. False: it has been told.
static bool find_newest_sent(struct doctor *doctor, struct cli_client *client, int64_t *ret_ms)
{
    struct cli_answer answer;
    json_auto_t *messages = NULL;
    if (!get_page(doctor, client, "?status=sent&page_size=1", &answer, &messages))
        return false;
    int64_t newest_ms = 0;
    size_t index;
    json_t *message;
    json_array_foreach(messages, index, message)
    {
        int64_t asked_for_ms = created_ms(message);
        newest_ms = asked_for_ms > newest_ms ? asked_for_ms : newest_ms;
    }
    *ret_ms = newest_ms;
    return true;
}

static void tell_abandoned(struct doctor *doctor, const struct tally *tally)
{
    static const struct advice impatient = {
        "Kratos has given them up and cannot send them again; after so few tries its "
        "message_retries is as it came, and a relay that is away for six seconds costs mail",
        "set courier.message_retries to 300 (docs/kratos.md)"};
    static const struct advice given_up = {
        "Kratos has given them up and cannot send them again: those people wait in vain",
        "look into the relay's log at the time for `refused` and `unauthorized`, or why it was "
        "away"};
    if (tally->count == 0) {
        findings_tell(&doctor->findings, SEVERITY_FINE, subject, NULL, "it has given no mail up");
        return;
    }
    findings_tell(
        &doctor->findings, tally->fresh > 0 ? SEVERITY_ERROR : SEVERITY_WARNING, subject,
        tally->least_tries <= FEW_TRIES ? &impatient : &given_up,
        "%zu%s mails are abandoned, %zu of them were asked for within a day, after %lld to "
        "%lld tries",
        tally->count, tally->is_more ? " or more" : "", tally->fresh, (long long)tally->least_tries,
        (long long)tally->most_tries);
}

static void tell_stuck(struct doctor *doctor, const struct tally *stuck,
                       const struct tally *doubtful)
{
    static const struct advice passed_over = {
        "Kratos was stopped before their turn, and nothing takes them up again: they were never "
        "posted",
        "those people have to ask again. Give Kratos time to stop (SIGTERM, some seconds)"};
    static const struct advice look_again = {
        "either Kratos is at them now, as when it tries again or hands over what has waited, or it "
        "was stopped in the middle of them, and nothing takes them up again",
        "run this again in a minute: what is still there then is stuck, and may have been posted, "
        "or not; look for its recipients by `courier-relay queue list --recipient`"};
    if (stuck->count > 0)
        findings_tell(&doctor->findings, stuck->fresh > 0 ? SEVERITY_ERROR : SEVERITY_WARNING,
                      subject, &passed_over,
                      "%zu%s mails are stuck in `processing`: newer ones were sent", stuck->count,
                      stuck->is_more ? " or more" : "");
    if (doubtful->count > 0)
        findings_tell(&doctor->findings, SEVERITY_WARNING, subject, &look_again,
                      "%zu%s mails are `processing`, and were asked for more than a minute ago",
                      doubtful->count, doubtful->is_more ? " or more" : "");
    if (stuck->count == 0 && doubtful->count == 0)
        findings_tell(&doctor->findings, SEVERITY_FINE, subject, NULL,
                      "no mail is stuck in `processing`");
}

static void look_at_processing(struct doctor *doctor, struct cli_client *client, int64_t late_ms)
{
    struct wanted wanted = {.kind = KIND_PASSED_OVER, .before_ms = late_ms};
    struct tally stuck = {0}, doubtful = {0};
    if (!find_newest_sent(doctor, client, &wanted.newest_sent_ms) ||
        !count(doctor, client, "processing", &wanted, &stuck))
        return;
    wanted.kind = KIND_OTHER;
    if (count(doctor, client, "processing", &wanted, &doubtful))
        tell_stuck(doctor, &stuck, &doubtful);
}

static void tell_waiting(struct doctor *doctor, const struct tally *tally)
{
    static const struct advice idle = {
        "people wait for them, and none was ever tried: no courier of Kratos' runs, or it is far "
        "behind",
        "run `kratos serve --watch-courier`, or one `kratos courier watch`"};
    static const struct advice failing = {
        "people wait for them, and each try fails",
        "look into the relay's log for `refused`, `unauthorized` and `empty_payload` (data that "
        "are "
        "too large, as below), and at url and key in Kratos' courier.http.request_config"};
    if (tally->count > 0)
        findings_tell(&doctor->findings, SEVERITY_ERROR, subject,
                      tally->most_tries > 0 ? &failing : &idle,
                      "%zu%s mails are `queued` for longer than a minute, after up to %lld tries",
                      tally->count, tally->is_more ? " or more" : "", (long long)tally->most_tries);
    else
        findings_tell(&doctor->findings, SEVERITY_FINE, subject, NULL, "no mail waits in it");
}

static void tell_version(struct doctor *doctor, struct cli_client *client)
{
    static const char *const paths[] = {"/version", "/admin/version"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        AUTO_FREE char *url = NULL;
        if (asprintf(&url, "%s%s", doctor->kratos, paths[i]) < 0)
            abort();
        json_auto_t *body = NULL;
        struct cli_answer answer;
        struct error err;
        const struct cli_request request = {
            .url = url, .is_get = true, .limit_ms = LIMIT_MS, .ret_body = &body};
        if (!cli_request(client, &request, &answer, &err))
            return; // the next request tells it
        const char *version = answer.status == 200 ? member_text(body, "version") : NULL;
        if (version) {
            // v1.1 to v1.3 read back what their Jsonnet process prints by 64 kB, too.
            doctor->kratos_reads_little = strncmp(version, "v1.", 3) == 0 && version[3] != '0';
            findings_tell(&doctor->findings, SEVERITY_FINE, subject, NULL, "is version %.64s",
                          version);
            return;
        }
    }
}

static void look(struct doctor *doctor, struct cli_client *client)
{
    struct tally abandoned = {0}, waiting = {0};
    const struct wanted all = {.before_ms = INT64_MAX};
    const struct wanted late = {.before_ms = clock_wall_ms() - LATE_MS};
    tell_version(doctor, client);
    if (!count(doctor, client, "abandoned", &all, &abandoned))
        return;
    tell_abandoned(doctor, &abandoned);
    look_at_processing(doctor, client, late.before_ms);
    if (count(doctor, client, "queued", &late, &waiting))
        tell_waiting(doctor, &waiting);
    doctor_look_at_identities(doctor, client);
}

void doctor_look_at_kratos(struct doctor *doctor)
{
    struct error err = {0};
    struct cli_client *client = cli_client_create(NULL, &err);
    static const struct advice none = {"Kratos was not looked at", "run it again"};
    if (client)
        look(doctor, client);
    else
        findings_tell(&doctor->findings, SEVERITY_ERROR, subject, &none, "%s", err.message);
    cli_client_destroy(client);
}
