// The shipped normaliser against every payload we have, of every version of Kratos.

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "jsonnet/normaliser.h"
#include "jsonnet/payload.h"
#include "relay/base/buffer.h"
#include "relay/base/cleanup.h"

#define COURIER REPOSITORY_ROOT "/jsonnet/kratos_courier.jsonnet"
#define BODY REPOSITORY_ROOT "/jsonnet/kratos_body.jsonnet"
#define EXPECTED REPOSITORY_ROOT "/tests/data/kratos_courier_expected.json"
#define SAMPLES REPOSITORY_ROOT "/jsonnet/samples/"
#define PAYLOADS REPOSITORY_ROOT "/../shared/kratos-payloads/"

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return NULL;
    struct buffer contents;
    buffer_init(&contents, 1024 * 1024);
    char chunk[4096];
    size_t size;
    while ((size = fread(chunk, 1, sizeof(chunk), file)) > 0)
        buffer_append(&contents, chunk, size);
    fclose(file);
    return buffer_take(&contents);
}

// One evaluation over a list of documents; results in the same order.
struct stream {
    json_t *documents, *results;
    size_t given;
};

static json_t *give(void *context, size_t *ret_source)
{
    *ret_source = 0;
    struct stream *stream = context;
    return json_array_get(stream->documents, stream->given++);
}

static void take(void *context, json_t *result)
{
    struct stream *stream = context;
    json_array_append_new(stream->results, result);
}

static json_t *normalise_all(const char *normaliser, json_t *documents)
{
    AUTO_FREE char *text = read_file(normaliser);
    assert_non_null(text);
    struct stream stream = {.documents = documents, .results = json_array()};
    struct normaliser_io io = {.next = give, .emit = take, .context = &stream};
    struct error err;
    bool in_payload;
    char file[] = "normaliser.jsonnet";
    if (!normaliser_run(&(struct normaliser_source){text, file}, 1, &io, &in_payload, &err))
        fail_msg("payload %zu: %s", stream.given, err.message);
    assert_int_equal(json_array_size(stream.results), json_array_size(documents));
    return stream.results;
}

static json_t *read_document(const char *name)
{
    char path[4096];
    if (strncmp(name, "samples/", 8) == 0)
        snprintf(path, sizeof(path), SAMPLES "%s", name + 8);
    else
        snprintf(path, sizeof(path), PAYLOADS "%s", name + strlen("kratos-payloads/"));
    AUTO_FREE char *text = read_file(path);
    if (!text) {
        fail_msg("cannot read %s", path);
        return NULL;
    }
    struct error err;
    json_t *document = payload_parse(text, strlen(text), &err);
    if (!document)
        fail_msg("%s: %s", name, err.message);
    return document;
}

static bool have_payloads(void)
{
    DIR *dir = opendir(PAYLOADS);
    if (dir)
        closedir(dir);
    else
        fprintf(stderr, "SKIPPED: %s is not there, only our own samples are tested\n", PAYLOADS);
    return dir;
}

// The table's keys are names in the canonical mail or, failing that, in its data or fallback.
static json_t *canonical_value(json_t *mail, const char *key)
{
    char paths[128];
    snprintf(paths, sizeof(paths), "%s|data.%s|fallback.%s", key, key, key);
    return payload_at(mail, paths);
}

// want NULL: nothing was picked, or an empty list of wishes.
static void assert_is(const char *name, const char *key, json_t *got, json_t *want)
{
    bool empty = !got || (json_is_array(got) && json_array_size(got) == 0);
    if (want ? json_equal(got, want) : empty)
        return;
    AUTO_FREE char *got_text = got ? json_dumps(got, JSON_ENCODE_ANY) : NULL;
    AUTO_FREE char *want_text = want ? json_dumps(want, JSON_ENCODE_ANY) : NULL;
    fail_msg("%s: %s is %s, not %s", name, key, got_text ? got_text : "absent",
             want_text ? want_text : "absent");
}

static void assert_canonical(const char *name, json_t *document, json_t *mail, json_t *want)
{
    static const char *const keys[] = {
        "template", "channel",         "to",       "code",        "url",
        "name",     "locales",         "timezone", "brand",       "expires_in_minutes",
        "at",       "accept_language", "subject",  "request_url", "identity_id",
    };
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        assert_is(name, keys[i], canonical_value(mail, keys[i]), json_object_get(want, keys[i]));

    assert_is(name, "user_agent", payload_at(mail, "user_agent"),
              payload_at(document, "request_headers.User-Agent.0"));
    assert_is(name, "text", payload_at(mail, "fallback.text"), payload_at(document, "body|Body"));
    assert_is(name, "html", payload_at(mail, "fallback.html"), payload_at(document, "html_body"));

    const char *key;
    json_t *value;
    json_object_foreach(want, key, value)
    {
        if (!canonical_value(mail, key))
            fail_msg("%s: the table asks for %s, which is not tested", name, key);
    }
}

static json_t *expected(void)
{
    AUTO_FREE char *text = read_file(EXPECTED);
    assert_non_null(text);
    json_error_t fault;
    json_t *table = json_loads(text, JSON_REJECT_DUPLICATES, &fault);
    if (!table)
        fail_msg("%s:%d: %s", EXPECTED, fault.line, fault.text);
    if (!have_payloads()) {
        const char *name;
        json_t *want;
        void *saved;
        json_object_foreach_safe(table, saved, name, want)
        {
            if (strncmp(name, "samples/", 8) != 0)
                json_object_del(table, name);
        }
    }
    return table;
}

static json_t *read_documents(json_t *table)
{
    json_t *documents = json_array();
    const char *name;
    json_t *want;
    json_object_foreach(table, name, want) json_array_append_new(documents, read_document(name));
    return documents;
}

static void assert_all(json_t *table, json_t *documents, json_t *mails)
{
    size_t i = 0;
    const char *name;
    json_t *want;
    json_object_foreach(table, name, want)
    {
        assert_canonical(name, json_array_get(documents, i), json_array_get(mails, i), want);
        i++;
    }
}

static void reads_every_payload_of_every_version(void **state)
{
    (void)state;
    json_auto_t *table = expected();
    json_auto_t *documents = read_documents(table);
    json_auto_t *mails = normalise_all(COURIER, documents);
    assert_all(table, documents, mails);
}

static void reads_the_same_from_what_our_body_leaves(void **state)
{
    (void)state;
    json_auto_t *table = expected();
    json_auto_t *documents = read_documents(table);
    json_auto_t *reduced = normalise_all(BODY, documents);
    json_auto_t *mails = normalise_all(COURIER, reduced);
    assert_all(table, documents, mails);

    size_t i;
    json_t *document;
    json_array_foreach(reduced, i, document)
    {
        json_t *original = json_array_get(documents, i);
        assert_is("reduced", "User-Agent", payload_at(document, "request_headers.User-Agent"),
                  payload_at(original, "request_headers.User-Agent"));
        assert_null(payload_at(document, "request_headers.True-Client-Ip"));
        assert_null(payload_at(document, "request_headers.Cookie"));
        assert_null(payload_at(document, "template_data.identity.verifiable_addresses"));
    }
}

static size_t count_files(const char *folder, json_t *table, const char *prefix)
{
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    size_t files = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        size_t size = strlen(entry->d_name);
        if (size < 5 || strcmp(entry->d_name + size - 5, ".json") != 0)
            continue;
        char name[512];
        snprintf(name, sizeof(name), "%s%s", prefix, entry->d_name);
        if (!json_object_get(table, name))
            fail_msg("%s has no line in the table", name);
        files++;
    }
    closedir(dir);
    return files;
}

static void every_file_is_in_the_table(void **state)
{
    (void)state;
    json_auto_t *table = expected();
    assert_true(count_files(SAMPLES, table, "samples/") >= 14);
    if (!have_payloads())
        return;
    count_files(PAYLOADS, table, "kratos-payloads/");
    static const char *const variants[] = {"default-body",   "edge",   "example-mailer-body",
                                           "master-2026-07", "v1.0.0", "v1.2.0",
                                           "v25.4.0"};
    for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
        char folder[4096], prefix[128];
        snprintf(folder, sizeof(folder), PAYLOADS "variants/%s", variants[i]);
        snprintf(prefix, sizeof(prefix), "kratos-payloads/variants/%s/", variants[i]);
        assert_true(count_files(folder, table, prefix) > 0);
    }
}

// What a stranger, or a Kratos of another time, may send: it must not throw, and must not pick
// what is no text.
static void odd_values_pick_nothing_and_throw_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        "[]",
        "[1, {\"recipient\": \"x\"}]",
        "{\"template_data\": null, \"request_headers\": null, \"recipient\": \"\"}",
        "{\"template_data\": [], \"request_headers\": {\"Accept-Language\": []}}",
        "{\"template_data\": {\"identity\": \"x\", \"traits\": 1, \"transient_payload\": [1]}}",
        "{\"template_data\": {\"identity\": {\"traits\": {\"name\": {}, \"lang\": {}}}}}",
        "{\"template_data\": {\"login_code\": [1], \"expires_in_minutes\": \"15\"}}",
        "{\"template_data\": {\"expires_in_minutes\": -1}}",
        "{\"template_data\": {\"transient_payload\": {\"lang\": \"\"}}}",
    };
    json_auto_t *documents = json_array();
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        json_array_append_new(documents, payload_parse(texts[i], strlen(texts[i]), NULL));
    json_auto_t *mails = normalise_all(COURIER, documents);
    for (size_t i = 0; i < json_array_size(mails); i++) {
        json_t *mail = json_array_get(mails, i);
        assert_null(payload_at(mail, "to|template|data.code|data.name|expires_in_minutes"));
        assert_null(payload_at(mail, "accept_language|timezone|identity_id|fallback.text"));
        // A route's defaults take the place of these.
        json_t *locales = json_object_get(mail, "locales");
        assert_true(json_is_array(locales) && json_array_size(locales) == 0);
        assert_true(json_is_null(json_object_get(mail, "template")));
        assert_string_equal(json_string_value(json_object_get(mail, "channel")), "email");
    }
}

// What becomes of template_data's codes, for a type.
static void picks_the_types_own_code_and_gives_numbers_their_zeros(void **state)
{
    (void)state;
    static const struct {
        const char *template, *data, *want; // NULL: none
    } cases[] = {
        {"login_code_valid", "{\"login_code\": 204815, \"recovery_code\": \"\"}", "204815"},
        {"login_code_valid", "{\"login_code\": 12345}", "012345"},
        {"login_code_valid", "{\"login_code\": \"12345\"}", "12345"},
        {"login_code_valid", "{\"login_code\": 1234567}", "1234567"},
        {"login_code_valid", "{\"login_code\": 1.5}", NULL},
        {"login_code_valid", "{\"login_code\": \"111111\", \"recovery_code\": 22222}", "111111"},
        {"recovery_code_valid", "{\"login_code\": \"1111\", \"recovery_code\": \"2222\"}", "2222"},
        {"verification_code_valid", "{\"login_code\": \"1111\", \"VerificationCode\": \"3333\"}",
         "3333"},
        // Recovery by SMS has it under another's name.
        {"recovery_code_valid", "{\"verification_code\": \"3333\"}", "3333"},
        {"a_type_to_come", "{\"recovery_code\": \"2222\"}", "2222"},
    };
    json_auto_t *documents = json_array();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *document = json_object();
        json_object_set_new(document, "template_type", json_string(cases[i].template));
        json_object_set_new(document, "template_data", json_loads(cases[i].data, 0, NULL));
        json_array_append_new(documents, document);
    }
    json_auto_t *mails = normalise_all(COURIER, documents);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_auto_t *want = cases[i].want ? json_string(cases[i].want) : NULL;
        assert_is(cases[i].data, "code", payload_at(json_array_get(mails, i), "data.code"), want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_payload_of_every_version),
        cmocka_unit_test(reads_the_same_from_what_our_body_leaves),
        cmocka_unit_test(every_file_is_in_the_table),
        cmocka_unit_test(odd_values_pick_nothing_and_throw_nothing),
        cmocka_unit_test(picks_the_types_own_code_and_gives_numbers_their_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
