// Which files of a folder are catalogs, and what they are to each other.
#include "tests/unit/templates/catalog_fixture.h"

static void knows_the_variants_of_a_language(void **state)
{
    struct folder *folder = *state;
    static const char *const tags[] = {"hu", "hu-x-formal", "de-AT", "de-AT-x-informal"};
    for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
        write_bare(folder, tags[i]);
    load(folder);
    assert_int_equal(json_array_size(folder->faults), 0);
    const struct catalog *formal = catalogs_find(folder->catalogs, "hu-x-formal");
    assert_non_null(formal);
    assert_true(catalog_is_variant(formal));
    assert_string_equal(formal->language, "hu");
    const struct catalog *austrian = catalogs_find(folder->catalogs, "DE-at");
    assert_non_null(austrian);
    assert_false(catalog_is_variant(austrian));
    assert_string_equal(austrian->language, "de-AT");
    assert_string_equal(catalogs_find(folder->catalogs, "de-AT-x-informal")->language, "de-AT");
    assert_null(catalogs_find(folder->catalogs, "hu-x"));
    for (size_t i = 1; i < folder->catalogs->count; i++)
        assert_true(strcmp(folder->catalogs->items[i - 1]->tag, folder->catalogs->items[i]->tag) <
                    0);

    write_bare(folder, "hu-X-Informal");
    load(folder);
    assert_no_fault(folder);
    assert_true(catalog_is_variant(catalogs_find(folder->catalogs, "hu-x-informal")));

    write_bare(folder, "hu-x-polite");
    write_bare(folder, "fr-x-formal");
    write_bare(folder, "de-x-formal");
    load(folder);
    assert_true(has_fault(folder, "hu-x-polite.json:1", "there are no other variants"));
    assert_true(has_fault(folder, "fr-x-formal.json", "is a variant of fr.json"));
    assert_true(has_fault(folder, "de-x-formal.json", "is a variant of de.json"));
    assert_int_equal(json_array_size(folder->faults), 3);
}

static void needs_a_folder_with_catalogs(void **state)
{
    struct folder *folder = *state;
    load(folder);
    assert_true(has_fault(folder, "locales", "No such file"));
    assert_int_equal(json_array_size(folder->faults), 1);
    folder_write(folder->dir, "locales/README.md", "no catalog");
    load(folder);
    assert_true(has_fault(folder, "locales", "has no catalog"));
    assert_int_equal(json_array_size(folder->faults), 1);
}

static void tells_catalogs_from_files_that_lie_about(void **state)
{
    static const struct {
        const char *file;
        bool is_ignored;
    } cases[] = {
        {"fr.JSON", false}, {"fr.json.txt", false}, {"fr.json.bak", false},
        {"fr.json~", true}, {".fr.json", true},     {".fr.json.swp", true},
        {"fr.txt", true},   {"README.md", true},    {"json", true},
    };
    struct folder *folder = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char file[64];
        snprintf(file, sizeof(file), "locales/%s", cases[i].file);
        write_bare(folder, "en");
        folder_write(folder->dir, file, "{}");
        load(folder);
        assert_int_equal(json_array_size(folder->faults), !cases[i].is_ignored);
        if (!cases[i].is_ignored)
            assert_true(has_fault(folder, cases[i].file, "is not named TAG.json"));
        folder_remove(folder->dir);
        mkdir(folder->dir, 0700);
    }
    char tag[CATALOG_TAG_SIZE + 1];
    memset(tag, 'a', CATALOG_TAG_SIZE);
    tag[CATALOG_TAG_SIZE] = '\0';
    write_bare(folder, "en");
    write_bare(folder, tag);
    load(folder);
    assert_int_equal(json_array_size(folder->faults), 1);
}

static void has_one_catalog_of_a_locale(void **state)
{
    struct folder *folder = *state;
    write_bare(folder, "EN");
    write_bare(folder, "en");
    write_bare(folder, "eN-gb");
    load(folder);
    assert_true(has_fault(folder, "en.json", "is of the same locale as EN.json"));
    assert_int_equal(json_array_size(folder->faults), 1);
}

static void takes_no_more_catalogs_than_it_has_room_for(void **state)
{
    struct folder *folder = *state;
    for (int i = 0; i < 200; i++) {
        char tag[32];
        snprintf(tag, sizeof(tag), "en-%03d", i);
        write_bare(folder, tag);
    }
    load(folder);
    assert_no_fault(folder);
    assert_int_equal(folder->catalogs->count, 200);
    write_bare(folder, "en");
    load(folder);
    assert_true(has_fault(folder, "locales", "has 201 catalogs, at most 200 may be"));
    assert_int_equal(json_array_size(folder->faults), 1);
}

// What is wrong with one file is not said of others.
static void blames_no_other_file_for_one_that_cannot_be_read(void **state)
{
    struct folder *folder = *state;
    write_bare(folder, "en");
    write_bare(folder, "hu-x-formal");
    folder_write(folder->dir, "locales/hu.json", "{");
    load(folder);
    assert_true(has_fault(folder, "hu.json:1", "expected"));
    assert_int_equal(json_array_size(folder->faults), 1);
    assert_true(catalogs_is_unread(folder->catalogs, "HU"));
    assert_false(catalogs_is_unread(folder->catalogs, "en"));
    assert_null(catalogs_find(folder->catalogs, "hu"));
}

static void knows_which_languages_there_are(void **state)
{
    static const struct {
        const char *tag;
        bool want;
    } cases[] = {
        {"xx", false}, {"tlh", false}, {"xx-x-formal", false}, {"en-ZZ", true},
        {"tl", true},  {"iw", true},   {"no", true},           {"zh-Hant-HK", true},
    };
    struct folder *folder = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char what[64];
        char where[64];
        write_bare(folder, cases[i].tag);
        write_bare(folder, "xx"); // for its variant
        load(folder);
        snprintf(where, sizeof(where), "%s.json:1", cases[i].tag);
        snprintf(what, sizeof(what), "locale %s is of no language that ICU knows", cases[i].tag);
        if (!cases[i].want)
            assert_true(has_fault(folder, where, what));
        assert_int_equal(json_array_size(folder->faults), 1 + (i == 1 || i == 2));
        folder_remove(folder->dir);
        mkdir(folder->dir, 0700);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(knows_the_variants_of_a_language),
        TEST(needs_a_folder_with_catalogs),
        TEST(tells_catalogs_from_files_that_lie_about),
        TEST(has_one_catalog_of_a_locale),
        TEST(takes_no_more_catalogs_than_it_has_room_for),
        TEST(blames_no_other_file_for_one_that_cannot_be_read),
        TEST(knows_which_languages_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
