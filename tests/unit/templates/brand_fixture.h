// brand_fixture.h - a folder of brands of a test's own, and what loading it found.
#ifndef TESTS_UNIT_TEMPLATES_BRAND_FIXTURE_H
#define TESTS_UNIT_TEMPLATES_BRAND_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "templates/brand.h"
#include "tests/support/folder.h"

struct brand_fixture {
    char dir[FOLDER_PATH_SIZE];
    json_t *faults;
    struct brands *brands;
};

static inline void brand_fixture_load(struct brand_fixture *fixture)
{
    json_array_clear(fixture->faults);
    brands_destroy(fixture->brands);
    fixture->brands = brands_load(fixture->dir, NULL, fixture->faults);
}

static inline int brand_fixture_make(void **state)
{
    struct brand_fixture *fixture = calloc(1, sizeof(*fixture));
    if (!fixture)
        return -1;
    folder_make(fixture->dir);
    fixture->faults = json_array();
    *state = fixture;
    return 0;
}

static inline int brand_fixture_remove(void **state)
{
    struct brand_fixture *fixture = *state;
    folder_remove(fixture->dir);
    brands_destroy(fixture->brands);
    json_decref(fixture->faults);
    free(fixture);
    return 0;
}

static inline void brand_fixture_print(const json_t *faults)
{
    char *text = json_dumps(faults, JSON_INDENT(1));
    print_error("%s\n", text);
    free(text);
}

static inline void brand_fixture_assert_good(const struct brand_fixture *fixture)
{
    if (json_array_size(fixture->faults) > 0)
        brand_fixture_print(fixture->faults);
    assert_int_equal(json_array_size(fixture->faults), 0);
    assert_non_null(fixture->brands);
}

// Exactly one fault, and this one.
static inline void brand_fixture_assert_fault(const struct brand_fixture *fixture,
                                              const char *where, const char *what)
{
    const json_t *fault = json_array_get(fixture->faults, 0);
    const char *got_where = json_string_value(json_object_get(fault, "where"));
    const char *got_what = json_string_value(json_object_get(fault, "what"));
    size_t tail = strlen(where);
    if (json_array_size(fixture->faults) != 1 || strlen(got_where) < tail ||
        strcmp(got_where + strlen(got_where) - tail, where) != 0 || !strstr(got_what, what)) {
        brand_fixture_print(fixture->faults);
        fail_msg("want one fault, %s: %s", where, what);
    }
}

#define BRAND_TEST(name)                                                                           \
    cmocka_unit_test_setup_teardown(name, brand_fixture_make, brand_fixture_remove)

#endif
