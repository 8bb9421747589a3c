// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>
#include <unistd.h>

#include "relay/children/samples.h"
#include "tests/support/folder.h"

#define LIMIT (64 * 1024)

static int set_up(void **state)
{
    char *dir = malloc(FOLDER_PATH_SIZE);
    folder_make(dir);
    *state = dir;
    return 0;
}

static int tear_down(void **state)
{
    folder_remove(*state);
    free(*state);
    return 0;
}

static void a_folders_json_files_are_taken_by_name(void **state)
{
    const char *dir = *state;
    folder_write(dir, "b.json", "{}");
    folder_write(dir, "a.json", "{\"a\": 1}");
    folder_write(dir, "README.md", "no");
    folder_write(dir, ".json", "no");
    struct samples samples = {0};
    const struct sample_set set = {"kratos", dir}, again = {"orders", dir};
    struct error err = {0};
    assert_true(samples_add(&samples, &set, &err));
    assert_true(samples_add(&samples, &again, &err));
    assert_int_equal(samples.count, 4);
    static const char *const want[][2] = {
        {"kratos", "a.json"}, {"kratos", "b.json"}, {"orders", "a.json"}, {"orders", "b.json"}};
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(samples.items[i].route, want[i][0]);
        assert_string_equal(samples.items[i].name, want[i][1]);
    }
    json_auto_t *request = sample_request(&samples.items[2]);
    assert_string_equal(json_string_value(json_object_get(request, "op")), "compose");
    assert_string_equal(json_string_value(json_object_get(request, "route")), "orders");

    AUTO_BUFFER struct buffer payload;
    buffer_init(&payload, LIMIT);
    assert_true(sample_read(&samples.items[0], &payload, &err));
    assert_int_equal(payload.size, 8);
    assert_memory_equal(payload.data, "{\"a\": 1}", 8);
    samples_finish(&samples);
}

static void what_cannot_be_read_is_an_error(void **state)
{
    const char *dir = *state;
    char missing[FOLDER_PATH_SIZE + 16];
    snprintf(missing, sizeof(missing), "%s/missing", dir);
    struct samples samples = {0};
    const struct sample_set empty = {"kratos", dir}, none = {"kratos", missing};
    struct error err = {0};
    assert_false(samples_add(&samples, &empty, &err));
    assert_string_equal(err.message, "holds no sample payloads");
    assert_false(samples_add(&samples, &none, &err));
    assert_int_equal(err.code, ERR_IO);
    assert_int_equal(samples.count, 0);

    static char large[2 * LIMIT];
    memset(large, ' ', sizeof(large) - 1);
    folder_write(dir, "large.json", large);
    assert_true(samples_add(&samples, &empty, &err));
    AUTO_BUFFER struct buffer payload;
    buffer_init(&payload, LIMIT);
    assert_false(sample_read(&samples.items[0], &payload, &err));
    char path[FOLDER_PATH_SIZE + 16];
    snprintf(path, sizeof(path), "%s/large.json", dir);
    unlink(path);
    assert_false(sample_read(&samples.items[0], &payload, &err));
    samples_finish(&samples);
}

#define MAIL "{\"op\":\"composed\",\"mails\":[{\"park\":null}]}"
#define SMS "{\"op\":\"composed\",\"mails\":[{\"park\":\"unsupported_channel\"}]}"
#define NOTHING "{\"op\":\"composed\",\"mails\":[]}"
#define FAILED "{\"op\":\"failed\",\"reason\":\"normaliser_failed\"}"

static void a_route_that_makes_nothing_of_every_sample_is_at_fault(void **state)
{
    const char *dir = *state;
    folder_write(dir, "a.json", "{}");
    folder_write(dir, "b.json", "{}");
    json_auto_t *init =
        json_loads("{\"routes\": [{\"name\": \"kratos\", \"normaliser\": \"k.jsonnet\"},"
                   "{\"name\": \"crm\", \"normaliser\": \"c.jsonnet\"}]}",
                   0, NULL);
    static const struct {
        const char *answers[4]; // a and b of kratos, a and b of crm; NULL: none came
        const char *where[2];   // further faults than those of the answers
    } cases[] = {
        {{MAIL, MAIL, MAIL, MAIL}, {NULL}},
        {{NOTHING, MAIL, MAIL, NOTHING}, {NULL}},
        {{NOTHING, SMS, SMS, NOTHING}, {NULL}},
        {{NOTHING, FAILED, FAILED, NOTHING}, {NULL}},
        {{NOTHING, NULL, NULL, NULL}, {NULL}},
        {{NOTHING, NOTHING, MAIL, MAIL}, {"k.jsonnet"}},
        {{MAIL, NOTHING, NOTHING, NOTHING}, {"c.jsonnet"}},
        {{NOTHING, NOTHING, NOTHING, NOTHING}, {"k.jsonnet", "c.jsonnet"}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct samples samples = {0};
        const struct sample_set sets[] = {{"kratos", dir}, {"crm", dir}};
        for (size_t k = 0; k < 2; k++)
            assert_true(samples_add(&samples, &sets[k], NULL));
        json_auto_t *faults = json_array(), *of_answers = json_array();
        for (size_t k = 0; k < 4; k++) {
            json_auto_t *answer =
                cases[i].answers[k] ? json_loads(cases[i].answers[k], 0, NULL) : NULL;
            if (answer)
                sample_judge(&samples.items[k], init, answer, of_answers);
        }
        samples_judge_all(&samples, init, faults);
        for (size_t k = 0; k < 2 && cases[i].where[k]; k++) {
            const json_t *fault = json_array_get(faults, k);
            assert_string_equal(json_string_value(json_object_get(fault, "where")),
                                cases[i].where[k]);
            assert_string_equal(json_string_value(json_object_get(fault, "what")),
                                cases[i].where[k][0] == 'k'
                                    ? "makes a mail of none of the samples of route kratos"
                                    : "makes a mail of none of the samples of route crm");
        }
        assert_int_equal(json_array_size(faults), !!cases[i].where[0] + !!cases[i].where[1]);
        samples_finish(&samples);
    }
}

static void an_answer_is_judged(void **state)
{
    (void)state;
    static char route[] = "kratos", path[] = "/samples/a.json";
    struct sample sample = {.route = route, .path = path, .name = path + 9};
    json_auto_t *init = json_loads("{\"routes\": [{\"name\": \"x\", \"normaliser\": \"x.jsonnet\"},"
                                   "{\"name\": \"kratos\", \"normaliser\": \"k.jsonnet\"}]}",
                                   0, NULL);
    static const struct {
        const char *answer, *where, *what; // NULL: no fault
    } cases[] = {
        {"{\"op\":\"composed\",\"mails\":[{\"template\":\"x\",\"park\":null}]}", NULL, NULL},
        {"{\"op\":\"composed\",\"mails\":[]}", NULL, NULL},
        {"{\"op\":\"composed\",\"mails\":[{\"park\":\"unsupported_channel\"}]}", NULL, NULL},
        {"{\"op\":\"composed\",\"mails\":[{\"park\":\"link_not_allowed\"}]}", NULL, NULL},
        {"{\"op\":\"composed\",\"mails\":[{\"park\":null},{\"park\":\"no_recipient\"}]}",
         "/samples/a.json", "no_recipient"},
        {"{\"op\":\"composed\",\"mails\":[{\"park\":\"not_canonical\",\"detail\":\"data is "
         "missing\"}]}",
         "k.jsonnet", "data is missing, for a.json"},
        {"{\"op\":\"failed\",\"reason\":\"normaliser_failed\",\"detail\":\"k:1:2: no\"}",
         "/samples/a.json", "k:1:2: no"},
        {"{\"op\":\"failed\",\"reason\":\"too_large\"}", "/samples/a.json", "too_large"},
        {"{}", "/samples/a.json", "not composed"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_auto_t *answer = json_loads(cases[i].answer, 0, NULL);
        json_auto_t *faults = json_array();
        size_t count = sample_judge(&sample, init, answer, faults);
        assert_int_equal(count, json_array_size(faults));
        assert_int_equal(count, cases[i].where ? 1 : 0);
        const json_t *fault = json_array_get(faults, 0);
        if (!cases[i].where)
            continue;
        assert_string_equal(json_string_value(json_object_get(fault, "where")), cases[i].where);
        assert_string_equal(json_string_value(json_object_get(fault, "what")), cases[i].what);
    }
    json_auto_t *faults = json_array();
    sample_unanswered(&sample, init, "took longer than a second", faults);
    const json_t *fault = json_array_get(faults, 0);
    assert_string_equal(json_string_value(json_object_get(fault, "where")), "k.jsonnet");
    assert_string_equal(json_string_value(json_object_get(fault, "what")),
                        "took longer than a second, for a.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_folders_json_files_are_taken_by_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_read_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_route_that_makes_nothing_of_every_sample_is_at_fault,
                                        set_up, tear_down),
        cmocka_unit_test(an_answer_is_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
