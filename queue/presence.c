#include "queue/presence.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { LOOK_MS = 1000 };

static const char *const SUFFIXES[] = {"", "-wal"};
#define FILE_COUNT (sizeof(SUFFIXES) / sizeof(SUFFIXES[0]))

void presence_init(struct presence *presence, const char *database_path)
{
    *presence = (struct presence){.look_at_ms = 0};
    for (size_t i = 0; i < FILE_COUNT; i++) {
        struct presence_file *file = &presence->files[i];
        struct stat status;
        if (asprintf(&file->path, "%s%s", database_path, SUFFIXES[i]) < 0)
            abort();
        if (stat(file->path, &status) == 0) { // else the first look tells
            file->device = status.st_dev;
            file->inode = status.st_ino;
        }
    }
}

void presence_finish(struct presence *presence)
{
    for (size_t i = 0; i < FILE_COUNT; i++)
        free(presence->files[i].path);
    *presence = (struct presence){.look_at_ms = 0};
}

bool presence_look(struct presence *presence, int64_t now_ms, struct error *err)
{
    if (now_ms < presence->look_at_ms)
        return true;
    for (size_t i = 0; i < FILE_COUNT; i++) {
        const struct presence_file *file = &presence->files[i];
        struct stat status;
        if (stat(file->path, &status) < 0)
            return error_errno(err, ERR_IO, "what is written goes nowhere: find %s", file->path);
        if (status.st_dev != file->device || status.st_ino != file->inode)
            return error_set(err, ERR_IO,
                             "what is written goes nowhere: %s is another file than the relay's",
                             file->path);
    }
    presence->look_at_ms = now_ms + LOOK_MS;
    return true;
}
