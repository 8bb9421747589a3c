#include "templates/frames.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/cleanup.h"
#include "relay/base/names.h"
#include "templates/fault.h"
#include "templates/source.h"

static const char HTML_SUFFIX[] = ".html.mustache";
static const char TEXT_SUFFIX[] = ".text.mustache";
static const char FRAME[] = "frame";
static const char SUBJECT[] = "subject";

// A file of a folder: "body.html.mustache".
struct file {
    char *name;
    struct source source;
};

struct files {
    struct file *items; // by name, ascending
    size_t count;
};

// What all sets of a load have in common.
struct loader {
    const char *dir;
    json_t *known_names;
    const struct catalog *catalog;
    struct files shared;
    struct frames *frames;
    json_t *faults;
};

// ---- files ----------------------------------------------------------------------------------

static bool ends_with(const char *text, const char *suffix)
{
    size_t size = strlen(text);
    size_t suffix_size = strlen(suffix);
    return size > suffix_size && strcmp(text + size - suffix_size, suffix) == 0;
}

static bool is_html(const char *file)
{
    return ends_with(file, HTML_SUFFIX);
}

static size_t stem_size(const char *file)
{
    return strlen(file) - strlen(is_html(file) ? HTML_SUFFIX : TEXT_SUFFIX);
}

static bool is_named(const char *file, const char *stem)
{
    return stem_size(file) == strlen(stem) && strncmp(file, stem, strlen(stem)) == 0;
}

// In the shared folder other things may lie about; a type's has nothing else.
static int is_template(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && ends_with(entry->d_name, ".mustache");
}

static int is_visible(const struct dirent *entry)
{
    const char *name = entry->d_name;
    return name[0] != '.' && name[strlen(name) - 1] != '~'; // nor what editors keep
}

static void files_finish(struct files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->items[i].name);
        source_finish(&files->items[i].source);
    }
    free(files->items);
    *files = (struct files){0};
}

// What is wrong with a file as a whole.
static void fault_of(json_t *faults, const char *dir, const char *name, const char *what,
                     const char *which)
{
    AUTO_FREE char *path = NULL;
    if (asprintf(&path, "%s/%s", dir, name) < 0)
        path = NULL;
    fault_at(faults, path ? path : dir, 0, "%s%s", what, which);
}

static void add_file(struct files *files, const char *dir, const char *name, json_t *faults)
{
    struct file file = {.name = strdup(name)};
    if (!file.name)
        fault_of(faults, dir, name, "out of memory", "");
    else if (!is_html(name) && !ends_with(name, TEXT_SUFFIX))
        fault_of(faults, dir, name, "must end in .html.mustache or .text.mustache", "");
    else if (is_html(name) && is_named(name, SUBJECT))
        fault_of(faults, dir, name, "a subject is text: subject.text.mustache", "");
    else if (source_read(dir, name, &file.source, faults)) {
        files->items[files->count++] = file;
        return;
    }
    free(file.name);
}

// False where the folder cannot be read, or is empty; that is a fault only in the first case.
static bool read_folder(const char *dir, int (*takes)(const struct dirent *), struct files *files,
                        json_t *faults)
{
    struct dirent **entries = NULL;
    int count = scandir(dir, &entries, takes, alphasort);
    if (count < 0)
        fault_at(faults, dir, 0, "cannot be read: %s", strerrordesc_np(errno));
    files->items = count > 0 ? calloc((size_t)count, sizeof(*files->items)) : NULL;
    for (int i = 0; i < count; i++) {
        if (files->items)
            add_file(files, dir, entries[i]->d_name, faults);
        free(entries[i]);
    }
    free(entries);
    return count > 0;
}

// ---- sets -----------------------------------------------------------------------------------

static const struct file *find_file(const struct files *files, const char *name)
{
    for (size_t i = 0; i < files->count; i++) {
        if (strcmp(files->items[i].name, name) == 0)
            return &files->items[i];
    }
    return NULL;
}

static void compile_file(struct frame_set *set, const struct file *file, json_t *faults)
{
    char stem[NAME_MAX + 1];
    snprintf(stem, sizeof(stem), "%.*s", (int)stem_size(file->name), file->name);
    template_set_add(is_html(file->name) ? set->htmls : set->texts, stem, file->source.path,
                     file->source.text, file->source.size, faults);
}

// Compiles the shared files, but for those that own has in their place, and own; NULL: none.
static void compile(const struct loader *loader, const struct files *own, struct frame_set *set,
                    json_t *faults)
{
    static const char *const raw_names[] = {"own_html", NULL};
    const struct template_rules text_rules = {.mode = TEMPLATE_TEXT,
                                              .known_names = loader->known_names};
    const struct template_rules html_rules = {
        .mode = TEMPLATE_HTML, .raw_names = raw_names, .known_names = loader->known_names};
    set->texts = template_set_create(&text_rules);
    set->htmls = template_set_create(&html_rules);
    if (!set->texts || !set->htmls) {
        fault_at(faults, loader->dir, 0, "out of memory");
        return;
    }
    for (size_t i = 0; i < loader->shared.count; i++) {
        const struct file *file = &loader->shared.items[i];
        if (!own || !find_file(own, file->name))
            compile_file(set, file, faults);
    }
    for (size_t i = 0; own && i < own->count; i++)
        compile_file(set, &own->items[i], faults);
    template_set_link(set->texts, faults);
    template_set_link(set->htmls, faults);
    set->text = template_set_find(set->texts, FRAME);
    set->html = template_set_find(set->htmls, FRAME);
    set->subject = template_set_find(set->texts, SUBJECT);
    if (!set->text)
        fault_at(faults, loader->dir, 0, "lacks %s%s", FRAME, TEXT_SUFFIX);
    if (!set->html)
        fault_at(faults, loader->dir, 0, "lacks %s%s", FRAME, HTML_SUFFIX);
}

// A file that stands for no shared one may be a partial of its own, or a slip of the pen.
static void check_name(const struct loader *loader, const char *dir, const char *name)
{
    static const char *const roots[] = {"frame.html.mustache", "frame.text.mustache",
                                        "subject.text.mustache"};
    if (find_file(&loader->shared, name))
        return;
    for (size_t i = 0; i < loader->shared.count + 3; i++) {
        const char *known = i < 3 ? roots[i] : loader->shared.items[i - 3].name;
        if (strcmp(name, known) == 0)
            return;
        if (names_distance(name, known) <= (stem_size(name) > 5 ? 2 : 1)) {
            fault_of(loader->faults, dir, name, "is no shared file; did you mean ", known);
            return;
        }
    }
}

// One that no other file of the set names is as good as not there, whatever it was to be.
static void check_use(const struct frame_set *set, const char *dir, const char *name,
                      json_t *faults)
{
    char stem[NAME_MAX + 1];
    snprintf(stem, sizeof(stem), "%.*s", (int)stem_size(name), name);
    if (strcmp(stem, FRAME) != 0 && strcmp(stem, SUBJECT) != 0 &&
        !template_set_uses(is_html(name) ? set->htmls : set->texts, stem))
        fault_of(faults, dir, name, "is used by no other file", "");
}

// Those that the shared files have as well were reported with them.
static void append_new_faults(json_t *faults, json_t *more)
{
    size_t i;
    json_t *fault;
    json_array_foreach(more, i, fault)
    {
        bool is_known = false;
        for (size_t k = 0; k < json_array_size(faults) && !is_known; k++)
            is_known = json_equal(fault, json_array_get(faults, k));
        if (!is_known && json_array_append(faults, fault) != 0)
            abort(); // as in fault.c
    }
}

static void load_type(struct loader *loader, const char *type)
{
    AUTO_FREE char *dir = NULL;
    if (asprintf(&dir, "%s/types/%s", loader->dir, type) < 0) {
        fault_at(loader->faults, loader->dir, 0, "out of memory");
        return;
    }
    if (loader->catalog && !catalog_find_type(loader->catalog, type))
        fault_at(loader->faults, dir, 0, "no catalog has a type %s", type);
    struct files own = {0};
    size_t faults_before = json_array_size(loader->faults);
    if (!read_folder(dir, is_visible, &own, loader->faults) &&
        json_array_size(loader->faults) == faults_before)
        fault_at(loader->faults, dir, 0, "is empty");

    struct frame_set *set = &loader->frames->sets[loader->frames->count++];
    set->type = strdup(type);
    set->files = json_array();
    json_auto_t *faults = json_array();
    for (size_t i = 0; i < own.count; i++) {
        check_name(loader, dir, own.items[i].name);
        json_array_append_new(set->files, json_string(own.items[i].name));
    }
    if (!set->type || json_array_size(set->files) != own.count || !faults)
        fault_at(loader->faults, dir, 0, "out of memory");
    else
        compile(loader, &own, set, faults);
    append_new_faults(loader->faults, faults);
    // Only what was compiled to its end says all that it uses.
    bool is_whole =
        json_array_size(faults) == 0 && json_array_size(loader->faults) == faults_before;
    for (size_t i = 0; i < own.count && is_whole; i++)
        check_use(set, dir, own.items[i].name, loader->faults);
    files_finish(&own);
}

static void load_types(struct loader *loader)
{
    AUTO_FREE char *dir = NULL;
    if (asprintf(&dir, "%s/types", loader->dir) < 0) {
        fault_at(loader->faults, loader->dir, 0, "out of memory");
        return;
    }
    struct dirent **entries = NULL;
    int count = scandir(dir, &entries, is_visible, alphasort);
    if (count < 0 && errno != ENOENT)
        fault_at(loader->faults, dir, 0, "cannot be read: %s", strerrordesc_np(errno));
    if (count <= 0)
        return;
    struct frame_set *sets = reallocarray(loader->frames->sets, (size_t)count + 1, sizeof(*sets));
    if (sets) {
        memset(sets + 1, 0, (size_t)count * sizeof(*sets));
        loader->frames->sets = sets;
    } else {
        fault_at(loader->faults, dir, 0, "out of memory");
    }
    for (int i = 0; i < count; i++) {
        if (sets)
            load_type(loader, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
}

// ---- all of them ----------------------------------------------------------------------------

struct frames *frames_load(const char *dir, json_t *known_names, const struct catalog *catalog,
                           json_t *faults)
{
    struct frames *frames = calloc(1, sizeof(*frames));
    if (frames)
        frames->sets = calloc(1, sizeof(*frames->sets));
    if (!frames || !frames->sets) {
        frames_destroy(frames);
        return NULL;
    }
    struct loader loader = {.dir = dir,
                            .known_names = known_names,
                            .catalog = catalog,
                            .frames = frames,
                            .faults = faults};
    frames->count = 1;
    read_folder(dir, is_template, &loader.shared, faults);
    compile(&loader, NULL, &frames->sets[0], faults);
    load_types(&loader);
    files_finish(&loader.shared);
    return frames;
}

void frames_destroy(struct frames *frames)
{
    if (!frames)
        return;
    for (size_t i = 0; i < frames->count; i++) {
        struct frame_set *set = &frames->sets[i];
        free(set->type);
        template_set_destroy(set->texts);
        template_set_destroy(set->htmls);
        json_decref(set->files);
    }
    free(frames->sets);
    free(frames);
}

const struct frame_set *frames_find(const struct frames *frames, const char *type)
{
    for (size_t i = 1; type && i < frames->count; i++) {
        if (strcmp(frames->sets[i].type, type) == 0)
            return &frames->sets[i];
    }
    return &frames->sets[0];
}
