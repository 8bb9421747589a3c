// Loads a folder of templates, finding as many faults at once as it can, and then renders a
// mail of each type in each language on trial: a frame that forgets the code is found here,
// and not by the first person who cannot sign in.
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "templates/brand.h"
#include "templates/fault.h"
#include "templates/loaded.h"
#include "templates/source.h"

static const char HTML_SUFFIX[] = ".html.mustache";
static const char TEXT_SUFFIX[] = ".text.mustache";
static const char FRAME[] = "frame";

// ---- frames ---------------------------------------------------------------------------------

static bool ends_with(const char *text, const char *suffix)
{
    size_t size = strlen(text);
    size_t suffix_size = strlen(suffix);
    return size > suffix_size && strcmp(text + size - suffix_size, suffix) == 0;
}

static int is_template(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && ends_with(entry->d_name, ".mustache");
}

static void load_template(struct renderer *renderer, const char *dir, const char *file,
                          json_t *faults)
{
    bool is_html = ends_with(file, HTML_SUFFIX);
    if (!is_html && !ends_with(file, TEXT_SUFFIX)) {
        fault_at(faults, file, 0, "must end in %s or %s", HTML_SUFFIX, TEXT_SUFFIX);
        return;
    }
    struct source source AUTO_SOURCE = {0};
    if (!source_read(dir, file, &source, faults))
        return;
    char name[256];
    const char *suffix = is_html ? HTML_SUFFIX : TEXT_SUFFIX;
    snprintf(name, sizeof(name), "%.*s", (int)(strlen(file) - strlen(suffix)), file);
    template_set_add(is_html ? renderer->html_set : renderer->text_set, name, source.path,
                     source.text, source.size, faults);
}

static void load_templates(struct renderer *renderer, const char *dir, json_t *faults)
{
    static const char *const raw_names[] = {"own_html", NULL};
    json_auto_t *brand_names =
        renderer->brands ? brands_known_names(renderer->brands) : json_object();
    json_auto_t *known = brand_names ? view_known_names(brand_names) : NULL;
    const struct template_rules text_rules = {.mode = TEMPLATE_TEXT, .known_names = known};
    const struct template_rules html_rules = {
        .mode = TEMPLATE_HTML, .raw_names = raw_names, .known_names = known};
    renderer->text_set = template_set_create(&text_rules);
    renderer->html_set = template_set_create(&html_rules);
    if (!known || !renderer->text_set || !renderer->html_set) {
        fault_at(faults, dir, 0, "out of memory");
        return;
    }

    struct dirent **entries = NULL;
    int count = scandir(dir, &entries, is_template, alphasort);
    if (count < 0)
        fault_at(faults, dir, 0, "cannot be read: %s", strerrordesc_np(errno));
    for (int i = 0; i < count; i++) {
        load_template(renderer, dir, entries[i]->d_name, faults);
        free(entries[i]);
    }
    free(entries);
    template_set_link(renderer->text_set, faults);
    template_set_link(renderer->html_set, faults);
    renderer->text_frame = template_set_find(renderer->text_set, FRAME);
    renderer->html_frame = template_set_find(renderer->html_set, FRAME);
    if (count >= 0 && !renderer->text_frame)
        fault_at(faults, dir, 0, "lacks %s%s", FRAME, TEXT_SUFFIX);
    if (count >= 0 && !renderer->html_frame)
        fault_at(faults, dir, 0, "lacks %s%s", FRAME, HTML_SUFFIX);
}

// ---- languages ------------------------------------------------------------------------------

// What readers can wish for: every language, but no variant of one.
static void load_matcher(struct renderer *renderer, const char *dir, const char *default_locale,
                         json_t *faults)
{
    size_t count = renderer->catalogs->count;
    const char **tags = calloc(count + 1, sizeof(*tags));
    renderer->matched = calloc(count + 1, sizeof(*renderer->matched));
    if (!tags || !renderer->matched) {
        fault_at(faults, dir, 0, "out of memory");
        free(tags);
        return;
    }
    size_t tag_count = 0;
    size_t default_index = count;
    for (size_t i = 0; i < count; i++) {
        const struct catalog *catalog = renderer->catalogs->items[i];
        if (catalog_is_variant(catalog))
            continue;
        if (strcasecmp(catalog->tag, default_locale) == 0)
            default_index = tag_count;
        renderer->matched[tag_count] = i;
        tags[tag_count++] = catalog->tag;
    }
    struct error err;
    if (catalogs_find(renderer->catalogs, default_locale) && default_index == count)
        fault_at(faults, "locale", 0,
                 "%s is a variant, which a brand's address chooses; name its "
                 "language",
                 default_locale);
    else if (default_index == count)
        fault_at(faults, "locale", 0, "there is no catalog locales/%s.json", default_locale);
    renderer->matcher = locale_matcher_create(tags, tag_count, default_index, &err);
    if (!renderer->matcher)
        fault_at(faults, dir, 0, "%s", err.message);
    free(tags);
}

static void load_languages(struct renderer *renderer, const char *dir, const char *default_locale,
                           json_t *faults)
{
    renderer->catalogs = catalogs_load(dir, default_locale, faults);
    size_t count = renderer->catalogs ? renderer->catalogs->count : 0;
    renderer->bases = calloc(count + 1, sizeof(*renderer->bases));
    if (!renderer->catalogs || !renderer->bases) {
        fault_at(faults, dir, 0, "out of memory");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const struct catalog *catalog = renderer->catalogs->items[i];
        renderer->bases[i] = (struct view_base){
            .catalog = catalog,
            .brand = renderer->brands ? brands_at(renderer->brands, 0)->view : NULL,
            .is_right_to_left = locale_is_right_to_left(catalog->language)};
    }
    load_matcher(renderer, dir, default_locale, faults);
}

// ---- trial ----------------------------------------------------------------------------------

#define TRIAL_CODE "7391-TRIAL"
#define TRIAL_URL "https://trial.example/verify/7391"
#define TRIAL_OWN "Own words 7391"

static void try_mail(struct renderer *renderer, const struct catalog *catalog, const char *template,
                     const char *must_have, json_t *faults)
{
    json_auto_t *data = json_pack("{s:s, s:s}", "code", TRIAL_CODE, "url", TRIAL_URL);
    json_auto_t *locales = json_pack("[s]", catalog->tag);
    const struct render_request request = {
        .template = template, .data = data, .locales = locales, .text = TRIAL_OWN};
    struct rendered mail;
    struct error err;
    if (!renderer_render(renderer, &request, &mail, &err)) {
        fault_at(faults, catalog->path, 0, "%s cannot be rendered: %s", template, err.message);
        return;
    }
    if (must_have && !strstr(mail.text, must_have))
        fault_at(faults, "frame.text.mustache", 0, "%s comes out without %s", template, must_have);
    if (must_have && !strstr(mail.html, must_have))
        fault_at(faults, "frame.html.mustache", 0, "%s comes out without %s", template, must_have);
    rendered_finish(&mail);
}

static void try_mails(struct renderer *renderer, json_t *faults)
{
    static const char *const needed[] = {
        [NEED_NOTHING] = NULL, [NEED_CODE] = TRIAL_CODE, [NEED_LINK] = TRIAL_URL};
    for (size_t i = 0; i < renderer->catalogs->count; i++) {
        const struct catalog *catalog = renderer->catalogs->items[i];
        for (size_t k = 0; k < catalog->type_count; k++)
            try_mail(renderer, catalog, catalog->types[k].name, needed[catalog->types[k].need],
                     faults);
    }
    // Of a type that no catalog knows: Kratos' own words.
    try_mail(renderer, renderer->catalogs->items[0], "?", TRIAL_OWN, faults);
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
    if (!locale_knows_timezone(timezone))
        fault_at(faults, "timezone", 0, "there is no time zone named %s", timezone);
    if (is_folder(dir, faults)) {
        renderer->brands = brands_load(dir, brand_name, faults);
        load_templates(renderer, dir, faults);
        load_languages(renderer, dir, default_locale, faults);
    }
    if (renderer->catalogs && json_array_size(faults) == faults_before)
        try_mails(renderer, faults);
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
    catalogs_destroy(renderer->catalogs);
    locale_matcher_destroy(renderer->matcher);
    template_set_destroy(renderer->text_set);
    template_set_destroy(renderer->html_set);
    free(renderer->bases);
    free(renderer->matched);
    brands_destroy(renderer->brands);
    free(renderer);
}
