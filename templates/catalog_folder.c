// Loading all catalogs of a folder.
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "relay/base/cleanup.h"
#include "templates/catalog.h"
#include "templates/fault.h"
#include "templates/source.h"

#define CATALOGS_MAX 200

// Adds what dir/file, "<tag>.json", is; or its tag alone where nothing of it can be read.
static void add_file(struct catalogs *catalogs, const char *dir, const char *file, json_t *faults)
{
    struct source source AUTO_SOURCE = {0};
    char tag[CATALOG_TAG_SIZE];
    bool is_named = source_is_named_json(file);
    int tag_size = (int)(is_named ? strlen(file) - strlen(".json") : 0);
    if (!is_named || snprintf(tag, sizeof(tag), "%.*s", tag_size, file) >= (int)sizeof(tag)) {
        AUTO_FREE char *path = NULL;
        if (asprintf(&path, "%s/%s", dir, file) < 0)
            path = NULL;
        fault_at(faults, path ? path : dir, 0, "is not named TAG.json, after its locale");
        return;
    }
    struct catalog *catalog =
        source_read(dir, file, &source, faults) ? catalog_load(tag, &source, faults) : NULL;
    if (catalog)
        catalogs->items[catalogs->count++] = catalog;
    else
        memcpy(catalogs->unread[catalogs->unread_count++], tag, sizeof(tag));
}

static int compare_tags(const void *a, const void *b)
{
    const struct catalog *const *left = a;
    const struct catalog *const *right = b;
    return strcmp((*left)->tag, (*right)->tag);
}

// Tags are the same whatever case they are in, though files are not.
static void check_twins(const struct catalogs *catalogs, json_t *faults)
{
    for (size_t i = 0; i < catalogs->count; i++) {
        const struct catalog *first = catalogs_find(catalogs, catalogs->items[i]->tag);
        if (first != catalogs->items[i])
            fault_at(faults, catalogs->items[i]->path, 0, "is of the same locale as %s.json",
                     first->tag);
    }
}

// Without room for them where there is nothing to load; a fault says why.
static void make_room(struct catalogs *catalogs, const char *path, int count, json_t *faults)
{
    if (count < 0) {
        fault_at(faults, path, 0, "%s", strerrordesc_np(errno));
    } else if (count == 0) {
        fault_at(faults, path, 0, "has no catalog");
    } else if (count > CATALOGS_MAX) {
        fault_at(faults, path, 0, "has %d catalogs, at most %d may be", count, CATALOGS_MAX);
    } else {
        catalogs->items = calloc((size_t)count, sizeof(struct catalog *));
        catalogs->unread = calloc((size_t)count, sizeof(*catalogs->unread));
        if (!catalogs->items || !catalogs->unread)
            fault_at(faults, path, 0, "out of memory");
    }
}

struct catalogs *catalogs_load(const char *dir, const char *reference, json_t *faults)
{
    struct catalogs *catalogs = calloc(1, sizeof(*catalogs));
    AUTO_FREE char *path = NULL;
    if (!catalogs || asprintf(&path, "%s/locales", dir) < 0) {
        free(catalogs);
        return NULL;
    }
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, source_is_meant_as_json, NULL);
    make_room(catalogs, path, count, faults);
    for (int i = 0; i < count; i++) {
        if (catalogs->items && catalogs->unread)
            add_file(catalogs, path, entries[i]->d_name, faults);
        free(entries[i]);
    }
    free(entries);
    if (catalogs->count > 0)
        qsort(catalogs->items, catalogs->count, sizeof(struct catalog *), compare_tags);
    check_twins(catalogs, faults);
    catalogs_check(catalogs, reference, faults);
    return catalogs;
}
