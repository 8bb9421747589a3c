#include "relay/paths.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "relay/base/cleanup.h"

static char *joined(const char *dir, const char *name)
{
    char *path;
    return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

// The clone has no share folder: what is shipped stands in the tree itself, two above build/X.
static char *share_dir(const char *prefix)
{
    AUTO_FREE char *installed = joined(prefix, "share/courier-relay");
    AUTO_FREE char *templates = installed ? joined(installed, "templates") : NULL;
    if (!templates)
        return NULL;
    AUTO_FREE char *clone = joined(prefix, "../..");
    AUTO_FREE char *found = clone && access(templates, F_OK) < 0 ? realpath(clone, NULL) : NULL;
    char **chosen = found ? &found : &installed;
    char *share = *chosen;
    *chosen = NULL;
    return share;
}

bool paths_find(const char *program_dir, struct paths *ret_paths, struct error *err)
{
    *ret_paths = (struct paths){0};
    AUTO_FREE char *up = joined(program_dir, "..");
    AUTO_FREE char *prefix = up ? realpath(up, NULL) : NULL;
    AUTO_FREE char *share = prefix ? share_dir(prefix) : NULL;
    if (!share)
        return error_errno(err, ERR_IO, "the folder above %s", program_dir);
    ret_paths->composer = joined(prefix, "libexec/courier-relay/composer");
    ret_paths->deliverer = joined(prefix, "libexec/courier-relay/deliverer");
    ret_paths->templates_dir = joined(share, "templates");
    ret_paths->normaliser = joined(share, "jsonnet/kratos_courier.jsonnet");
    ret_paths->samples_dir = joined(share, "jsonnet/samples");
    if (ret_paths->composer && ret_paths->deliverer && ret_paths->templates_dir &&
        ret_paths->normaliser && ret_paths->samples_dir)
        return true;
    paths_finish(ret_paths);
    return error_set(err, ERR_TEMPORARY, "no memory");
}

void paths_finish(struct paths *paths)
{
    free(paths->composer);
    free(paths->deliverer);
    free(paths->templates_dir);
    free(paths->normaliser);
    free(paths->samples_dir);
    *paths = (struct paths){0};
}
