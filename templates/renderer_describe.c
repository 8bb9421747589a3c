// What a renderer has loaded, for commands that list and preview it.
#include "templates/loaded.h"

static const char *const NEED_NAMES[] = {
    [NEED_NOTHING] = "nothing",
    [NEED_CODE] = "code",
    [NEED_LINK] = "link",
};

static json_t *describe_type(const struct renderer *renderer, const struct catalog_type *type)
{
    json_t *files = frames_find(renderer->frames, type->name)->files;
    return json_pack("{s:s, s:s, s:o}", "name", type->name, "need", NEED_NAMES[type->need],
                     "overrides", files ? json_incref(files) : json_array());
}

// How many texts the catalog has, common ones and those of its types.
static size_t count_texts(const struct catalog *catalog)
{
    size_t count = 0;
    for (size_t key = 0; key < TEXT_COUNT; key++) {
        count += catalog->common[key].line > 0;
        for (size_t i = 0; i < catalog->type_count; i++)
            count += catalog->types[i].texts[key].line > 0;
    }
    return count;
}

static json_t *describe_locale(const struct view_base *base)
{
    const struct catalog *catalog = base->catalog;
    return json_pack("{s:s, s:s, s:s, s:s, s:I}", "locale", catalog->tag, "name", catalog->name,
                     "language", catalog->language, "dir",
                     base->writing.is_right_to_left ? "rtl" : "ltr", "texts",
                     (json_int_t)count_texts(catalog));
}

static json_t *describe_brand(const struct brand *brand)
{
    static const char *const addresses[] = {
        [BRAND_ADDRESS_OWN] = NULL,
        [BRAND_ADDRESS_FORMAL] = "formal",
        [BRAND_ADDRESS_INFORMAL] = "informal",
    };
    json_t *clients = json_object_get(brand->settings, "clients");
    json_t *hosts = json_object_get(brand->settings, "link_hosts");
    return json_pack("{s:s, s:s, s:o, s:s?, s:s?, s:o}", "brand", brand->id, "name", brand->name,
                     "clients", clients ? json_incref(clients) : json_array(), "address",
                     addresses[brand->address], "locale", brand->locale, "link_hosts",
                     hosts ? json_incref(hosts) : json_null());
}

// The catalog of who wishes for nothing.
static const char *default_locale(const struct renderer *renderer)
{
    const struct locale_wishes none = {0};
    size_t index = locale_match(renderer->matcher, &none, NULL);
    return renderer->languages[index].bases[BRAND_ADDRESS_OWN]->catalog->tag;
}

json_t *renderer_describe(const struct renderer *renderer)
{
    json_t *types = json_array();
    json_t *locales = json_array();
    json_t *brands = json_array();
    bool failed = false;
    // The catalogs have the same types, else they would not have been loaded.
    const struct catalog *first = renderer->catalogs->items[0];
    for (size_t i = 0; i < first->type_count; i++)
        failed |= json_array_append_new(types, describe_type(renderer, &first->types[i])) != 0;
    for (size_t i = 0; i < renderer->catalogs->count; i++)
        failed |= json_array_append_new(locales, describe_locale(&renderer->bases[i])) != 0;
    for (size_t i = 0; i < brands_count(renderer->brands); i++)
        failed |=
            json_array_append_new(brands, describe_brand(brands_at(renderer->brands, i))) != 0;
    json_t *all = json_pack("{s:o, s:o, s:o, s:s}", "types", types, "locales", locales, "brands",
                            brands, "default_locale", default_locale(renderer));
    if (!failed)
        return all;
    json_decref(all);
    return NULL;
}
