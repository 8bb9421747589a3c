// Loads a folder of templates, finding as many faults at once as it can, and then tries it
// (renderer_trial.c).
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "templates/fault.h"
#include "templates/loaded.h"

// ---- languages ------------------------------------------------------------------------------

static const struct view_base *variant_of(const struct renderer *renderer, size_t index,
                                          const char *suffix)
{
    const struct catalogs *catalogs = renderer->catalogs;
    size_t size = strlen(catalogs->items[index]->tag);
    for (size_t i = 0; i < catalogs->count; i++) {
        const char *tag = catalogs->items[i]->tag;
        if (strncasecmp(tag, catalogs->items[index]->tag, size) == 0 &&
            strcasecmp(tag + size, suffix) == 0)
            return &renderer->bases[i];
    }
    return &renderer->bases[index];
}

static void add_language(struct renderer *renderer, size_t index, size_t count)
{
    static const char *const suffixes[BRAND_ADDRESS_COUNT] = {
        [BRAND_ADDRESS_OWN] = "",
        [BRAND_ADDRESS_FORMAL] = "-x-formal",
        [BRAND_ADDRESS_INFORMAL] = "-x-informal",
    };
    for (size_t i = 0; i < BRAND_ADDRESS_COUNT; i++)
        renderer->languages[count].bases[i] = variant_of(renderer, index, suffixes[i]);
}

// A locale that somebody may name as a default: where is one, and what.
static void check_default(const struct renderer *renderer, const char *where, size_t line,
                          const char *locale, json_t *faults)
{
    struct error err;
    bool is_unread = catalogs_is_unread(renderer->catalogs, locale); // which has a fault already
    if (!is_unread && !renderer_check_locale(renderer, locale, &err))
        fault_at(faults, where, line, "locale: %s", err.message);
}

// What readers can wish for: every language, but no variant of one.
static void load_matcher(struct renderer *renderer, const char *default_locale, json_t *faults)
{
    size_t catalog_count = renderer->catalogs->count;
    const char **tags = calloc(catalog_count + 1, sizeof(*tags));
    size_t count = 0;
    size_t default_index = 0;
    for (size_t i = 0; tags && i < catalog_count; i++) {
        const struct catalog *catalog = renderer->catalogs->items[i];
        if (catalog_is_variant(catalog))
            continue;
        if (strcasecmp(catalog->tag, default_locale) == 0)
            default_index = count;
        add_language(renderer, i, count);
        tags[count++] = catalog->tag;
    }
    struct error err = {.message = "out of memory"};
    renderer->matcher = tags ? locale_matcher_create(tags, count, default_index, &err) : NULL;
    if (!renderer->matcher)
        fault_at(faults, "locale", 0, "%s", err.message);
    free(tags);
}

static void load_base(struct renderer *renderer, size_t index, json_t *faults)
{
    const struct catalog *catalog = renderer->catalogs->items[index];
    struct error err;
    renderer->bases[index] = (struct view_base){
        .catalog = catalog,
        .writing = {.is_right_to_left = locale_is_right_to_left(catalog->language),
                    .times = time_text_create(catalog->language, &err),
                    .zone = renderer->zone[0] ? renderer->zone : NULL}};
    if (!renderer->bases[index].writing.times && catalog->plural)
        fault_at(faults, catalog->path, 0, "%s", err.message);
}

static void load_languages(struct renderer *renderer, const char *dir, const char *default_locale,
                           json_t *faults)
{
    renderer->catalogs = catalogs_load(dir, default_locale, faults);
    size_t count = renderer->catalogs ? renderer->catalogs->count : 0;
    renderer->bases = calloc(count + 1, sizeof(*renderer->bases));
    renderer->languages = calloc(count + 1, sizeof(*renderer->languages));
    if (!renderer->catalogs || !renderer->bases || !renderer->languages) {
        fault_at(faults, dir, 0, "out of memory");
        return;
    }
    for (size_t i = 0; i < count; i++)
        load_base(renderer, i, faults);
    load_matcher(renderer, default_locale, faults);
    check_default(renderer, "locale", 0, default_locale, faults);
    for (size_t i = 0; renderer->brands && i < brands_count(renderer->brands); i++) {
        const struct brand *brand = brands_at(renderer->brands, i);
        const char *inherited = i > 0 ? brands_at(renderer->brands, 0)->locale : NULL;
        if (brand->locale && (!inherited || strcmp(brand->locale, inherited) != 0))
            check_default(renderer, brand->path, brand_line_of(brand, "locale"), brand->locale,
                          faults);
    }
}

// ---- all of it ------------------------------------------------------------------------------

static void load_frames(struct renderer *renderer, const char *dir, json_t *faults)
{
    json_auto_t *brand_names =
        renderer->brands ? brands_known_names(renderer->brands) : json_object();
    json_auto_t *known = brand_names ? view_known_names(brand_names) : NULL;
    const struct catalogs *catalogs = renderer->catalogs;
    const struct catalog *catalog =
        catalogs && catalogs->count > 0 && catalogs->items[0]->plural ? catalogs->items[0] : NULL;
    renderer->frames = known ? frames_load(dir, known, catalog, faults) : NULL;
    if (!renderer->frames)
        fault_at(faults, dir, 0, "out of memory");
}

// One fault where the folder is not there, and not one for each file that is not in it.
static bool is_folder(const char *dir, json_t *faults)
{
    struct stat status;
    if (stat(dir, &status) < 0)
        return fault_at(faults, dir, 0, "cannot be read: %s", strerrordesc_np(errno));
    return S_ISDIR(status.st_mode) || fault_at(faults, dir, 0, "is no folder");
}

struct renderer *renderer_load(const char *dir, const char *default_locale, const char *timezone,
                               const char *brand_name, json_t *faults)
{
    size_t faults_before = json_array_size(faults);
    struct renderer *renderer = calloc(1, sizeof(*renderer));
    if (!renderer) {
        fault_at(faults, dir, 0, "out of memory");
        return NULL;
    }
    if (!zone_resolve(timezone, renderer->zone))
        fault_at(faults, "timezone", 0, "there is no time zone named %s", timezone);
    else if (strcmp(timezone, "UTC") == 0)
        renderer->zone[0] = '\0'; // what is set where nobody has said anything
    if (is_folder(dir, faults)) {
        renderer->brands = brands_load(dir, brand_name, faults);
        load_languages(renderer, dir, default_locale, faults);
        load_frames(renderer, dir, faults);
    }
    if (json_array_size(faults) == faults_before)
        renderer_try(renderer, dir, faults);
    if (json_array_size(faults) > faults_before) {
        renderer_destroy(renderer);
        return NULL;
    }
    return renderer;
}

void renderer_destroy(struct renderer *renderer)
{
    if (!renderer)
        return;
    for (size_t i = 0; renderer->catalogs && renderer->bases && i < renderer->catalogs->count; i++)
        time_text_destroy(renderer->bases[i].writing.times);
    catalogs_destroy(renderer->catalogs);
    locale_matcher_destroy(renderer->matcher);
    frames_destroy(renderer->frames);
    free(renderer->bases);
    free(renderer->languages);
    brands_destroy(renderer->brands);
    free(renderer);
}
