// Reads the files of brands, and finds each by its names.
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "relay/base/cleanup.h"
#include "templates/brand_check.h"
#include "templates/brand_loaded.h"
#include "templates/color.h"
#include "templates/fault.h"
#include "templates/source.h"

#define ID_SIZE_MAX 63

static const char DEFAULT_ID[] = "default";
static const char FOLDER[] = "brands";
static const char SUFFIX[] = ".json";
static const char USUAL_COLOR[] = "#2d70b8"; // of what is shipped

// ---- one brand ------------------------------------------------------------------------------

// Settings that are not for frames to show.
static const char *const UNSEEN[] = {
    "from_name", "reply_to", "link_hosts", "code_in_subject", "address", "locale", "clients",
};

static json_t *create_view(const struct brand *brand)
{
    json_t *view = json_copy(brand->settings);
    bool failed = json_object_set_new(view, "id", json_string(brand->id)) != 0;
    for (size_t i = 0; i < sizeof(UNSEEN) / sizeof(UNSEEN[0]); i++)
        json_object_del(view, UNSEEN[i]);
    const char *color = json_string_value(json_object_get(view, "color"));
    if (!json_string_value(json_object_get(view, "text_on_color")) && color &&
        color_is_valid(color))
        failed |= json_object_set_new(view, "text_on_color",
                                      json_string(color_black_or_white_on(color))) != 0;
    if (failed) {
        json_decref(view);
        return NULL;
    }
    return view;
}

static enum brand_address address_of(const json_t *settings)
{
    const char *address = json_string_value(json_object_get(settings, "address"));
    if (!address)
        return BRAND_ADDRESS_OWN;
    return strcmp(address, "formal") == 0 ? BRAND_ADDRESS_FORMAL : BRAND_ADDRESS_INFORMAL;
}

static const char *text_of(const json_t *settings, const char *key)
{
    return json_string_value(json_object_get(settings, key));
}

static void finish(struct brand *brand)
{
    free(brand->id);
    free(brand->path);
    json_decref(brand->view);
    json_decref(brand->lines);
    json_decref(brand->settings);
}

// Of each key of a file, as brand_line_of() reads them; the caller owns it. NULL: no memory.
static json_t *create_lines(json_t *own, const struct source *source)
{
    json_t *lines = json_object();
    const char *key;
    const json_t *value;
    bool failed = !lines;
    json_object_foreach(own, key, value)
    {
        const char *const keys[] = {key, NULL};
        json_int_t line = (json_int_t)source_line_of(source, keys);
        failed |= json_object_set_new(lines, key, json_integer(line)) != 0;
    }
    if (failed) {
        json_decref(lines);
        return NULL;
    }
    return lines;
}

// Fills what is read often from the settings. False where there is no memory.
static bool set_fields(struct brand *brand, const char *id, const char *path)
{
    brand->id = strdup(id);
    brand->path = strdup(path);
    brand->view = brand->id ? create_view(brand) : NULL;
    brand->name = text_of(brand->settings, "name");
    brand->from_name = text_of(brand->settings, "from_name");
    brand->reply_to = text_of(brand->settings, "reply_to");
    brand->locale = text_of(brand->settings, "locale");
    brand->address = address_of(brand->settings);
    return brand->path && brand->view;
}

// What the file says on top of what it lacks; the caller owns it. NULL: no memory.
static json_t *create_settings(json_t *own, const struct brand *base, json_t *sender_name)
{
    json_t *settings = base ? json_copy(base->settings) : json_object();
    json_object_del(settings, "clients"); // those are the base's own
    bool failed = json_object_update(settings, own) != 0;
    // A button without a colour would be one that nobody sees.
    if (!json_object_get(settings, "color"))
        failed |= json_object_set_new(settings, "color", json_string(USUAL_COLOR)) != 0;
    // Who has a name of its own does not write under another's.
    json_t *own_name = json_object_get(own, "name");
    if (base && json_is_string(own_name) && !json_object_get(own, "from_name"))
        failed |= json_object_set(settings, "from_name", own_name) != 0;
    const json_t *name = json_object_get(settings, "name");
    if ((!name || json_is_null(name)) && sender_name)
        failed |= json_object_set(settings, "name", sender_name) != 0;
    if (failed) {
        json_decref(settings);
        return NULL;
    }
    return settings;
}

// ---- all brands -----------------------------------------------------------------------------

// Adds the brand in dir/file; the first one has what the others lack. A file that cannot be read
// is a fault and adds none.
static void add_brand(struct brands *brands, const char *dir, const char *file, const char *id,
                      json_t *sender_name, json_t *faults)
{
    struct source source AUTO_SOURCE = {0};
    if (!source_read(dir, file, &source, faults))
        return;
    json_auto_t *own = source_parse(&source, faults);
    if (!own)
        return;
    const struct brand *base = brands->count > 0 ? brands->items : NULL;
    struct brand brand = {.settings = create_settings(own, base, sender_name),
                          .lines = create_lines(own, &source)};
    if (!brand.settings || !brand.lines || !set_fields(&brand, id, source.path)) {
        fault_at(faults, source.path, 0, "out of memory");
        finish(&brand);
        return;
    }
    brand_check_keys(own, !base, &source, faults);
    brand_check_whole(own, brand.settings, !base, &source, faults);
    brands->items[brands->count++] = brand;
}

// The name of a brand goes into headers and onto command lines.
static bool is_id(const char *id, size_t size)
{
    if (size == 0 || size > ID_SIZE_MAX || !isalnum((unsigned char)id[0]))
        return false;
    for (size_t i = 0; i < size; i++) {
        if (!isalnum((unsigned char)id[i]) && !strchr("-_.", id[i]))
            return false;
    }
    return true;
}

static void add_file(struct brands *brands, const char *dir, const char *file, json_t *sender_name,
                     json_t *faults)
{
    char path[sizeof(FOLDER) + NAME_MAX + 1];
    char id[ID_SIZE_MAX + 1];
    snprintf(path, sizeof(path), "%s/%s", FOLDER, file);
    if (!source_is_named_json(file)) {
        fault_at(faults, path, 0, "is not named NAME.json, after its brand");
        return;
    }
    size_t id_size = strlen(file) - strlen(SUFFIX);
    if (!is_id(file, id_size)) {
        fault_at(faults, path, 0, "a brand's name is of 1 to %d letters, digits and - _ .",
                 ID_SIZE_MAX);
        return;
    }
    snprintf(id, sizeof(id), "%.*s", (int)id_size, file);
    if (strcasecmp(id, DEFAULT_ID) == 0)
        fault_at(faults, path, 0, "the default brand is brand.json");
    else
        add_brand(brands, dir, path, id, sender_name, faults);
}

static void add_folder(struct brands *brands, const char *dir, json_t *sender_name, json_t *faults)
{
    AUTO_FREE char *path = NULL;
    struct dirent **entries = NULL;
    if (asprintf(&path, "%s/%s", dir, FOLDER) < 0) {
        fault_at(faults, dir, 0, "out of memory");
        return;
    }
    int count = scandir(path, &entries, source_is_meant_as_json, alphasort);
    if (count < 0 && errno != ENOENT)
        fault_at(faults, path, 0, "cannot be read: %s", strerrordesc_np(errno));
    if (count < 0)
        return;
    struct brand *items = reallocarray(brands->items, (size_t)count + 1, sizeof(*items));
    if (!items)
        fault_at(faults, path, 0, "out of memory");
    else
        brands->items = items;
    for (int i = 0; i < count; i++) {
        if (items)
            add_file(brands, dir, entries[i]->d_name, sender_name, faults);
        free(entries[i]);
    }
    free(entries);
}

// ---- finding one ----------------------------------------------------------------------------

static void index_name(struct brands *brands, const char *name, size_t index, json_t *faults)
{
    const json_t *taken = json_object_get(brands->by_name, name);
    const struct brand *brand = &brands->items[index];
    if (!taken) {
        if (json_object_set_new(brands->by_name, name, json_integer((json_int_t)index)) != 0)
            fault_at(faults, brand->path, 0, "out of memory");
        return;
    }
    size_t other = (size_t)json_integer_value(taken);
    if (other != index)
        fault_at(faults, brand->path, brand_line_of(brand, "clients"),
                 "clients: \"%s\" is also of %s", name, brands->items[other].path);
}

// All names before any client, so that a client cannot take a brand's name.
static void index_all(struct brands *brands, json_t *faults)
{
    for (size_t i = 0; i < brands->count; i++)
        index_name(brands, brands->items[i].id, i, faults);
    for (size_t i = 0; i < brands->count; i++) {
        size_t k;
        const json_t *client;
        json_array_foreach(json_object_get(brands->items[i].settings, "clients"), k, client)
        {
            if (json_is_string(client))
                index_name(brands, json_string_value(client), i, faults);
        }
    }
}

struct brands *brands_load(const char *dir, const char *default_name, json_t *faults)
{
    struct brands *brands = calloc(1, sizeof(*brands));
    json_auto_t *sender_name = default_name ? json_string(default_name) : NULL;
    if (default_name && !sender_name) {
        fault_at(faults, dir, 0, "the sender's name is not UTF-8");
        sender_name = json_string("?");
    }
    if (brands) {
        brands->items = calloc(1, sizeof(*brands->items));
        brands->by_name = json_object();
    }
    if (!brands || !brands->items || !brands->by_name)
        fault_at(faults, dir, 0, "out of memory");
    else
        add_brand(brands, dir, "brand.json", DEFAULT_ID, sender_name, faults);
    if (!brands || brands->count == 0) {
        brands_destroy(brands);
        return NULL;
    }
    add_folder(brands, dir, sender_name, faults);
    index_all(brands, faults);
    return brands;
}

void brands_destroy(struct brands *brands)
{
    if (!brands)
        return;
    for (size_t i = 0; i < brands->count; i++)
        finish(&brands->items[i]);
    free(brands->items);
    json_decref(brands->by_name);
    free(brands);
}
