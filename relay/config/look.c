#include "relay/config/look.h"

#include <errno.h>
#include <libgen.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "relay/base/buffer.h"
#include "relay/base/cleanup.h"
#include "relay/base/file.h"
#include "relay/config/parts.h"
#include "relay/config/setters.h"
#include "relay/file_system.h"
#include "relay/restart.h"

enum { CONTENT_MAX = 16 * 1024 * 1024 };

// ---- the queue's folder -------------------------------------------------------------------------

// What is in the way of a folder in parent; NULL: nothing that could be seen.
static const char *obstacle(const char *parent)
{
    struct statfs status;
    if (access(parent, W_OK | X_OK) < 0 || statfs(parent, &status) < 0)
        return strerror(errno);
    // Those let the superuser write, they say, but hold no folders of ours.
    bool is_kernels = status.f_type == PROC_SUPER_MAGIC || status.f_type == SYSFS_MAGIC;
    return is_kernels ? "it is the kernel's own" : NULL;
}

// path is what holds dir, or dir itself.
static void warn_of_file_system(const char *path, const char *dir, const char *where,
                                struct config_report *report)
{
    const char *doubt = file_system_doubt_at(path);
    if (doubt)
        config_report_add(report, false, where, "%s %s", dir, doubt);
}

static void look_at_parent(const char *dir, const char *where, struct config_report *report)
{
    AUTO_FREE char *copy = strdup(dir);
    if (!copy) {
        report->failed = true;
        return;
    }
    const char *parent = dirname(copy);
    AUTO_FREE char *full = realpath(parent, NULL);
    const char *what = obstacle(parent);
    if (what)
        config_report_add(report, true, where, "%s cannot be made in %s: %s", dir,
                          full ? full : parent, what);
    else
        warn_of_file_system(parent, dir, where, report);
}

void look_at_queue_dir(const struct config *config, const char *where, struct config_report *report)
{
    const char *dir = config->queue_dir;
    struct stat status;
    if (getenv(RESTART_VARIABLE))
        return; // its disk has failed: serve waits for it
    if (stat(dir, &status) < 0) {
        if (errno == ENOENT)
            look_at_parent(dir, where, report);
        else
            config_report_add(report, true, where, "%s: %s", dir, strerror(errno));
        return;
    }
    AUTO_FREE char *full = realpath(dir, NULL);
    if (!S_ISDIR(status.st_mode))
        config_report_add(report, true, where, "%s is no folder", full ? full : dir);
    else if ((status.st_mode & 077) != 0) // as queue_open() says, which `check` does not call
        config_report_add(
            report, true, where,
            "%s has mode %04o and must have 0700; RELAY_QUEUE_DIR (or "
            "$STATE_DIRECTORY, by systemd with StateDirectoryMode=0700) names another",
            full ? full : dir, (unsigned)(status.st_mode & 07777));
    else
        warn_of_file_system(dir, dir, where, report);
}

// ---- what is there already ----------------------------------------------------------------------

// Says what is wrong with a file or folder that is to be used so; prefix: the part of the setting.
static bool look_at(const char *path, bool is_folder, int use, const char *where,
                    const char *prefix, struct config_report *report)
{
    struct stat status;
    bool is_there = stat(path, &status) == 0;
    if (is_there && S_ISDIR(status.st_mode) != is_folder)
        config_report_add(report, true, where, "%s%s is %s folder", prefix, path,
                          is_folder ? "no" : "a");
    else if (!is_there || access(path, use) < 0)
        config_report_add(report, true, where, "%s%s: %s", prefix, path, strerror(errno));
    else
        return true;
    return false;
}

// Not to be found out at the first mail: a deliverer does not read it before.
static void look_at_content(const char *path, const char *needed, const char *where,
                            const char *prefix, struct config_report *report)
{
    struct error err = {0};
    AUTO_BUFFER struct buffer bytes;
    buffer_init(&bytes, CONTENT_MAX);
    if (!look_at(path, false, R_OK, where, prefix, report))
        return;
    if (!file_read(path, FILE_REGULAR, &bytes, NULL, &err))
        config_report_add(report, true, where, "%s%s: %s", prefix, path, err.message);
    else if (bytes.size == 0)
        config_report_add(report, true, where, "%s%s is empty", prefix, path);
    else if (needed && !memmem(bytes.data, bytes.size, needed, strlen(needed)))
        config_report_add(report, true, where, "%s%s holds no certificate (PEM)", prefix, path);
    if (bytes.data)
        explicit_bzero(bytes.data, bytes.size);
}

void look_at_smarthosts(const struct config *config, const char *where,
                        struct config_report *report)
{
    for (size_t i = 0; i < config->smarthost_count; i++) {
        const struct smarthost *smarthost = &config->smarthosts[i];
        if (smarthost->dir)
            look_at(smarthost->dir, true, W_OK | X_OK, where, "", report);
        if (smarthost->ca_file)
            look_at_content(smarthost->ca_file, "-----BEGIN ", where, "ca_file ", report);
        if (smarthost->token_file)
            look_at_content(smarthost->token_file, NULL, where, "token_file ", report);
    }
}

void look_at_templates(const struct config *config, const char *where, struct config_report *report)
{
    look_at(config->templates_dir, true, R_OK | X_OK, where, "", report);
}

void look_at_normaliser(const struct config *config, const char *where,
                        struct config_report *report)
{
    if (!config->normaliser_in_routes)
        look_at(config->normaliser, false, R_OK, where, "", report);
}

void look_at_routes(const struct config *config, const char *where, struct config_report *report)
{
    for (size_t i = config->normaliser_in_routes ? 0 : 1; i < config->route_count; i++) {
        const struct config_route *route = &config->routes[i];
        AUTO_FREE char *prefix = NULL;
        if (asprintf(&prefix, "%s.normaliser: ", route->name) < 0) {
            prefix = NULL;
            report->failed = true;
            return;
        }
        look_at(route->normaliser, false, R_OK, where, prefix, report);
    }
}

// ---- all of them --------------------------------------------------------------------------------

void config_look(const struct config *config, bool is_running, struct config_report *report)
{
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (config_settings[i].look && config->places[i] &&
            (config_settings[i].reloads || !is_running))
            config_settings[i].look(config, config->places[i], report);
}
