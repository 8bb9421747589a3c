// What frames may name is what mails have.
#include "templates/loaded.h"
#include "tests/unit/templates/shipped_fixture.h"

// True where value has nothing but what is known. What it has is written into seen, as paths.
static bool holds(const json_t *known, json_t *value, const char *path, json_t *seen)
{
    const char *key;
    json_t *member;
    json_object_set_new(seen, path, json_null());
    if (json_is_true(known))
        return true;
    if (json_is_array(value))
        return json_is_array(known) &&
               holds(json_array_get(known, 0), json_array_get(value, 0), path, seen);
    if (!json_is_object(value))
        return json_is_null(known);
    json_object_foreach(value, key, member)
    {
        char below[200];
        snprintf(below, sizeof(below), "%s/%s", path, key);
        if (!json_object_get(known, key) ||
            !holds(json_object_get(known, key), member, below, seen)) {
            print_error("not known: %s\n", below);
            return false;
        }
    }
    return true;
}

static bool was_seen(json_t *known, const char *path, const json_t *seen)
{
    const char *key;
    json_t *member;
    if (json_is_array(known))
        return was_seen(json_array_get(known, 0), path, seen);
    if (!json_object_get(seen, path)) {
        print_error("in no mail: %s\n", path);
        return false;
    }
    json_object_foreach(known, key, member)
    {
        char below[200];
        snprintf(below, sizeof(below), "%s/%s", path, key);
        if (!was_seen(member, below, seen))
            return false;
    }
    return true;
}

static void every_key_of_a_view_is_known_and_every_known_one_written(void **state)
{
    struct fixture *fixture = *state;
    folder_write(fixture->dir, "brands/more.json",
                 "{\"motto\": \"m\", \"social\": [{\"name\": \"n\"}], \"links\": {\"a\": 1}}");
    load_named(fixture);
    assert_no_fault(fixture->faults);
    const struct renderer *renderer = fixture->renderer;
    json_auto_t *brand_names = brands_known_names(renderer->brands);
    json_auto_t *known = view_known_names(brand_names);
    json_auto_t *seen = json_object();
    json_auto_t *data = json_pack("{s:s, s:s, s:s, s:s}", "code", CODE, "url", URL, "name", "Anna",
                                  "at", "2026-01-02T03:04:05Z");
    const struct catalog *catalog = renderer->bases[0].catalog;
    for (size_t i = 0; i <= catalog->type_count; i++) {
        const struct render_request request = {
            .template = i < catalog->type_count ? catalog->types[i].name : "custom",
            .data = data,
            .browser = "Firefox",
            .system = "Windows",
            .minutes_left = 15,
            .subject = "Own",
            .text = "Own",
            .html = "<p>Own</p>"};
        json_t *view = NULL;
        enum refusal refusal;
        struct error err;
        assert_true(view_create(&renderer->bases[0], brands_at(renderer->brands, i % 2), &request,
                                &view, &refusal, &err));
        assert_true(holds(known, view, "", seen));
        json_decref(view);
    }
    assert_true(was_seen(known, "", seen));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_key_of_a_view_is_known_and_every_known_one_written,
                                        make_copy, remove_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
