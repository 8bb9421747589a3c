// folder.h - a folder of its own for a test, and files in it.
#ifndef TESTS_SUPPORT_FOLDER_H
#define TESTS_SUPPORT_FOLDER_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FOLDER_PATH_SIZE 4096

static inline void folder_make(char ret_path[FOLDER_PATH_SIZE])
{
    const char *parent = getenv("TMPDIR");
    snprintf(ret_path, FOLDER_PATH_SIZE, "%s/courier-relay-XXXXXX", parent ? parent : "/tmp");
    if (!mkdtemp(ret_path))
        abort();
}

// Folders named in name are made where they are missing (one level).
static inline void folder_write(const char *dir, const char *name, const char *text)
{
    char path[FOLDER_PATH_SIZE];
    if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= FOLDER_PATH_SIZE)
        abort();
    char *slash = strrchr(path, '/');
    *slash = '\0';
    mkdir(path, 0700);
    *slash = '/';
    FILE *file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        abort();
}

static inline int folder_remove_one(const char *path, const struct stat *status, int kind,
                                    struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

static inline void folder_remove(const char *dir)
{
    nftw(dir, folder_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
