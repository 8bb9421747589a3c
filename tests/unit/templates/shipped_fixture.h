// shipped_fixture.h - a copy of the templates that are shipped, to be changed.
#ifndef TESTS_UNIT_TEMPLATES_SHIPPED_FIXTURE_H
#define TESTS_UNIT_TEMPLATES_SHIPPED_FIXTURE_H

#include <dirent.h>

#include "tests/unit/templates/renderer_fixture.h"

static const char SHIPPED[] = REPOSITORY_ROOT "/templates";

#define FILE_SIZE_MAX (64 * 1024)

static inline void read_file(const char *path, char ret_text[FILE_SIZE_MAX])
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t size = fread(ret_text, 1, FILE_SIZE_MAX - 1, file);
    fclose(file);
    assert_true(size > 0 && size < FILE_SIZE_MAX - 1);
    ret_text[size] = '\0';
}

static inline void copy_folder(const char *folder, const char *dir)
{
    static char text[FILE_SIZE_MAX];
    char path[FOLDER_PATH_SIZE];
    snprintf(path, sizeof(path), "%s/%s", SHIPPED, folder);
    DIR *entries = opendir(path);
    assert_non_null(entries);
    for (const struct dirent *entry; (entry = readdir(entries));) {
        const char *name = entry->d_name;
        if (!strstr(name, ".mustache") && !strstr(name, ".json"))
            continue;
        char file[512];
        char source[FOLDER_PATH_SIZE + 512];
        snprintf(file, sizeof(file), "%s/%s", folder, name);
        snprintf(source, sizeof(source), "%s/%s", SHIPPED, file);
        read_file(source, text);
        folder_write(dir, file, text);
    }
    closedir(entries);
}

// remove_small() undoes it.
static inline int make_copy(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    if (!fixture)
        return -1;
    folder_make(fixture->dir);
    copy_folder(".", fixture->dir);
    copy_folder("locales", fixture->dir);
    fixture->faults = json_array();
    *state = fixture;
    return 0;
}

static inline void load_named(struct fixture *fixture)
{
    json_array_clear(fixture->faults);
    renderer_destroy(fixture->renderer);
    fixture->renderer = renderer_load(fixture->dir, "en", "UTC", "Acme", fixture->faults);
}

#endif
