// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/admin/query.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ID "01930000-0000-7000-8000-00000000000f"
#define NOW_MS INT64_C(1800000000000)

enum { PAIRS_MAX = 8 };

static void make_parameters(struct http_parameter *parameters, const char *const (*pairs)[2],
                            size_t count)
{
    assert_true(count <= PAIRS_MAX);
    for (size_t i = 0; i < count; i++)
        parameters[i] = (struct http_parameter){strdup(pairs[i][0]), strdup(pairs[i][1])};
}

static void free_parameters(struct http_parameter *parameters, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(parameters[i].name);
        free(parameters[i].value);
    }
}

// Reads "name", "value" pairs. The error's name, or NULL: read.
static const char *read_pairs(struct admin_query *query, enum admin_what what,
                              const char *const (*pairs)[2], size_t count)
{
    struct http_parameter parameters[PAIRS_MAX];
    make_parameters(parameters, pairs, count);
    const struct http_call call = {.parameters = parameters, .parameter_count = count};
    const char *name = NULL;
    struct error err = {0};
    bool ok = admin_query_read(query, what, &call, NOW_MS, &name, &err);
    free_parameters(parameters, count);
    if (ok)
        return NULL;
    const char *last = count > 0 ? pairs[count - 1][0] : ""; // that is the wrong one
    assert_int_equal(strncmp(err.message, last, strlen(last)), 0);
    return name;
}

static const char *read_one(struct admin_query *query, enum admin_what what, const char *name,
                            const char *value)
{
    const char *const pairs[][2] = {{name, value}};
    return read_pairs(query, what, pairs, 1);
}

static void each_request_knows_its_own(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
        unsigned whats;
    } cases[] = {
        {"state", "held", 1u << ADMIN_LIST | 1u << ADMIN_ACT_ON_ALL},
        {"limit", "3", 1u << ADMIN_LIST | 1u << ADMIN_ACT_ON_ALL},
        {"older_than", "1h", 1u << ADMIN_LIST | 1u << ADMIN_ACT_ON_ALL},
        {"page_size", "3", 1u << ADMIN_LIST},
        {"page_token", ID, 1u << ADMIN_LIST},
        {"all", "true", 1u << ADMIN_ACT_ON_ALL},
        {"dry_run", "true", 1u << ADMIN_ACT_ON_ALL},
        {"note", "why",
         1u << ADMIN_ACT | 1u << ADMIN_ACT_ON_ALL | 1u << ADMIN_PAUSE | 1u << ADMIN_RESUME |
             1u << ADMIN_REKEY | 1u << ADMIN_BACKUP | 1u << ADMIN_CHECK},
        {"x", "1", 0},
        {"", "", 0},
        {"State", "held", 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (unsigned what = ADMIN_LIST; what <= ADMIN_CHECK; what++) {
            struct admin_query query;
            const char *error =
                read_one(&query, (enum admin_what)what, cases[i].name, cases[i].value);
            if (cases[i].whats & 1u << what)
                assert_null(error);
            else
                assert_string_equal(error, "unknown_parameter");
        }
    }
}

static void what_it_says_is_taken(void **state)
{
    (void)state;
    struct admin_query query;
    static const char *const none[][2] = {{"", ""}};
    assert_null(read_pairs(&query, ADMIN_LIST, none, 0));
    assert_int_equal(query.page_size, 50);
    assert_string_equal(query.page_token, "");
    assert_null(read_one(&query, ADMIN_LIST, "page_size", "1000"));
    assert_int_equal(query.page_size, 1000);
    assert_null(read_one(&query, ADMIN_LIST, "page_token", ID));
    assert_string_equal(query.page_token, ID);
    const char *const pairs[][2] = {{"state", "held"}, {"dry_run", "true"}, {"all", "false"}};
    assert_null(read_pairs(&query, ADMIN_ACT_ON_ALL, pairs, 3));
    assert_true(query.dry_run && !query.all);
    assert_int_equal(query.filter.states, QUEUE_STATE_BIT(MESSAGE_HELD));
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static char long_note[202 * 2 + 1];
    for (size_t i = 0; i < 201; i++)
        snprintf(long_note + 2 * i, 3, "\xC3\xA9");
    static const struct {
        enum admin_what what;
        const char *name, *value;
    } cases[] = {
        {ADMIN_LIST, "page_size", "0"},    {ADMIN_LIST, "page_size", "1001"},
        {ADMIN_LIST, "page_size", "-1"},   {ADMIN_LIST, "page_size", ""},
        {ADMIN_LIST, "page_token", "x"},   {ADMIN_LIST, "page_token", ID "0"},
        {ADMIN_LIST, "state", "waiting"},  {ADMIN_ACT_ON_ALL, "all", "yes"},
        {ADMIN_ACT_ON_ALL, "dry_run", ""}, {ADMIN_ACT, "note", long_note},
    };
    struct admin_query query;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_string_equal(read_one(&query, cases[i].what, cases[i].name, cases[i].value),
                            "bad_parameter");
    assert_null(read_one(&query, ADMIN_ACT, "note", long_note + 2)); // 200 characters
    const char *const twice[][2] = {{"state", "held"}, {"state", "queued"}};
    assert_string_equal(read_pairs(&query, ADMIN_ACT_ON_ALL, twice, 2), "bad_parameter");
}

static void the_next_page_is_of_the_same_list(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"recipient", "a+b@x.y"},
                                           {"page_token", "old"},
                                           {"limit", "70"},
                                           {"page_size", "50"},
                                           {"reason", "\xC3\xA9 \">"}};
    struct http_parameter parameters[COUNT(pairs)];
    make_parameters(parameters, pairs, COUNT(pairs));
    char *link = admin_query_link(parameters, COUNT(parameters), 20, ID);
    assert_string_equal(link, "</admin/messages?recipient=a%2Bb%40x.y&page_size=50"
                              "&reason=%C3%A9%20%22%3E&limit=20&page_token=" ID ">; rel=\"next\"");
    free(link);
    free_parameters(parameters, COUNT(parameters));
    link = admin_query_link(NULL, 0, 0, ID);
    assert_string_equal(link, "</admin/messages?page_token=" ID ">; rel=\"next\"");
    free(link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_request_knows_its_own),
        cmocka_unit_test(what_it_says_is_taken),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(the_next_page_is_of_the_same_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
