// catalog_fixture.h - a folder of catalogs of a test's own, and what loading it found.
#ifndef TESTS_UNIT_TEMPLATES_CATALOG_FIXTURE_H
#define TESTS_UNIT_TEMPLATES_CATALOG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "templates/catalog.h"
#include "tests/support/folder.h"

struct folder {
    char dir[FOLDER_PATH_SIZE];
    struct catalogs *catalogs;
    json_t *faults;
};

static inline int make_folder(void **state)
{
    struct folder *folder = calloc(1, sizeof(*folder));
    if (!folder)
        return -1;
    folder_make(folder->dir);
    folder->faults = json_array();
    *state = folder;
    return 0;
}

static inline int remove_folder(void **state)
{
    struct folder *folder = *state;
    folder_remove(folder->dir);
    catalogs_destroy(folder->catalogs);
    json_decref(folder->faults);
    free(folder);
    return 0;
}

static inline void load(struct folder *folder)
{
    catalogs_destroy(folder->catalogs);
    json_array_clear(folder->faults);
    folder->catalogs = catalogs_load(folder->dir, "en", folder->faults);
    assert_non_null(folder->catalogs);
}

// Is there a fault at that place ("hu.json:3"), and does it say what?
static inline bool has_fault(const struct folder *folder, const char *where, const char *what)
{
    size_t index;
    const json_t *fault;
    json_array_foreach(folder->faults, index, fault)
    {
        const char *at = strrchr(json_string_value(json_object_get(fault, "where")), '/') + 1;
        if (strcmp(at, where) == 0 &&
            strstr(json_string_value(json_object_get(fault, "what")), what))
            return true;
    }
    char *text = json_dumps(folder->faults, JSON_INDENT(1));
    print_error("want %s: %s, got %s\n", where, what, text);
    free(text);
    return false;
}

static inline void assert_no_fault(const struct folder *folder)
{
    char *text = json_dumps(folder->faults, JSON_INDENT(1));
    if (json_array_size(folder->faults) > 0)
        print_error("%s\n", text);
    free(text);
    assert_int_equal(json_array_size(folder->faults), 0);
}

// A catalog with no more than each needs.
static inline void write_bare(struct folder *folder, const char *tag)
{
    char file[FOLDER_PATH_SIZE];
    char catalog[FOLDER_PATH_SIZE];
    snprintf(file, sizeof(file), "locales/%s.json", tag);
    snprintf(catalog, sizeof(catalog),
             "{\"locale\": \"%s\", \"name\": \"x\",\n\"texts\": {\"greeting_nameless\": \"x\"},\n"
             "\"types\": {}}",
             tag);
    folder_write(folder->dir, file, catalog);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_folder, remove_folder)

#endif
