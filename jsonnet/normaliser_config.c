#include <errno.h>
#include <fcntl.h>
#include <libjsonnet.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "jsonnet/complaint.h"
#include "jsonnet/normaliser.h"
#include "relay/base/buffer.h"
#include "relay/base/cleanup.h"

#define FILE_SIZE_MAX (1024 * 1024)

struct config_import {
    struct JsonnetVm *vm;
    const char *dir;
};

static char *vm_text(struct JsonnetVm *vm, const char *text, size_t size)
{
    char *copy = jsonnet_realloc(vm, NULL, size + 1);
    memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

static bool read_below(const char *dir, const char *path, struct buffer *contents,
                       struct error *err)
{
    AUTO_FREE char *real_dir = realpath(dir, NULL);
    AUTO_FREE char *real_path = realpath(path, NULL);
    if (!real_dir || !real_path)
        return error_set(err, ERR_INPUT, "%s", strerror(errno));
    size_t dir_size = strlen(real_dir);
    if (strncmp(real_path, real_dir, dir_size) != 0 || real_path[dir_size] != '/')
        return error_set(err, ERR_INPUT, "not below %s", real_dir);

    AUTO_CLOSE int fd = open(real_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0)
        return error_set(err, ERR_INPUT, "%s", strerror(errno));
    if (!S_ISREG(status.st_mode) || status.st_size > FILE_SIZE_MAX)
        return error_set(err, ERR_INPUT, "no file, or larger than %d bytes", FILE_SIZE_MAX);
    for (;;) {
        char chunk[8192];
        ssize_t size = read(fd, chunk, sizeof(chunk));
        if (size < 0)
            return error_set(err, ERR_INPUT, "%s", strerror(errno));
        if (size == 0)
            break;
        buffer_append(contents, chunk, (size_t)size);
    }
    buffer_append(contents, "", 0);
    if (contents->failed || strlen(contents->data) != contents->size)
        return error_set(err, ERR_INPUT, "too large, or not text");
    return true;
}

// base is the folder of the importing file as its name was given: "" or with a slash behind.
static char *config_import(void *context, const char *base, const char *path, char **ret_found,
                           int *ret_success)
{
    const struct config_import *import = context;
    char name[PATH_MAX], full[2 * PATH_MAX];
    snprintf(name, sizeof(name), "%s%s", path[0] == '/' ? "" : base, path);
    snprintf(full, sizeof(full), "%s%s%s", name[0] == '/' ? "" : import->dir,
             name[0] == '/' ? "" : "/", name);

    AUTO_BUFFER struct buffer contents;
    buffer_init(&contents, FILE_SIZE_MAX + 1);
    struct error err;
    *ret_success = read_below(import->dir, full, &contents, &err);
    if (!*ret_success)
        return vm_text(import->vm, err.message, strlen(err.message));
    *ret_found = vm_text(import->vm, name, strlen(name));
    return vm_text(import->vm, contents.data, contents.size);
}

char *normaliser_evaluate_config(const char *text, const char *file, const char *dir,
                                 struct error *err)
{
    struct config_import import = {.vm = jsonnet_make(), .dir = dir};
    jsonnet_import_callback(import.vm, config_import, &import);
    int failed;
    char *result = jsonnet_evaluate_snippet(import.vm, file, text, &failed);
    const struct complaint_part whole = {.file = file, .lines = INT_MAX};
    struct complaint_source source = {
        .name = file, .text = text, .parts = &whole, .part_count = 1, .trusted = true};
    char *json = NULL;
    if (failed)
        complaint_set(err, result, &source);
    else if (!(json = strdup(result)))
        error_set(err, ERR_TEMPORARY, "no memory for %s", file);
    jsonnet_realloc(import.vm, result, 0);
    jsonnet_destroy(import.vm);
    return json;
}
