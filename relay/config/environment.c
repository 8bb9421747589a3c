#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/buffer.h"
#include "relay/base/cleanup.h"
#include "relay/config/parts.h"

#define PREFIX "RELAY_"
#define PREFIX_SIZE (sizeof(PREFIX) - 1)

enum { SECRET_SIZE_MAX = 64 * 1024 };

// Docker and compose mount secrets there, 0444 by default and in the container alone: whoever is in
// it is the relay. The mode they should have, 0600, would keep them from its user.
static bool is_container_secret(const char *path)
{
    return strncmp(path, "/run/secrets/", strlen("/run/secrets/")) == 0 && !strstr(path, "/../");
}

char *config_read_secret(const char *path, const char *where, enum file_kind kind,
                         struct config_report *report)
{
    mode_t mode = 0;
    struct error err;
    AUTO_BUFFER struct buffer bytes;
    buffer_init(&bytes, SECRET_SIZE_MAX);
    if (!file_read(path, kind, &bytes, &mode, &err)) {
        config_report_add(report, true, where, "%s: %s", path, err.message);
        return NULL;
    }
    if (bytes.data && strlen(bytes.data) != bytes.size) {
        config_report_add(report, true, where, "%s holds a NUL byte", path);
        return NULL;
    }
    // No fault: it may be wanted, as where a container has its secrets elsewhere.
    if ((mode & (S_IROTH | S_IWOTH)) && !is_container_secret(path))
        config_report_add(report, false, where, "%s is open to every user (mode %04o)", path,
                          (unsigned)(mode & 07777));
    while (bytes.data && bytes.size > 0 && isspace((unsigned char)bytes.data[bytes.size - 1]))
        bytes.data[--bytes.size] = '\0';
    if (bytes.size == 0) {
        config_report_add(report, true, where, "%s is empty", path);
        return NULL;
    }
    return buffer_take(&bytes);
}

// Kubernetes and Docker set variables like RELAY_PORT=tcp://10.0.0.7:8080 in every container
// beside a service called "relay"; those are not meant for us.
static bool is_service_link(const char *name, const char *value)
{
    return strstr(name, "_SERVICE_HOST") || strstr(name, "_SERVICE_PORT") ||
           strstr(name, "_PORT_") || strncmp(value, "tcp://", 6) == 0 ||
           strncmp(value, "udp://", 6) == 0;
}

static char *lower_name(const char *variable, size_t size)
{
    char *name = strndup(variable + PREFIX_SIZE, size - PREFIX_SIZE);
    for (char *at = name; at && *at; at++)
        *at = (char)tolower((unsigned char)*at);
    return name;
}

static void report_unknown(const char *variable, const char *name, bool is_fault,
                           struct config_report *report)
{
    char nearest[SETTING_VARIABLE_SIZE] = "";
    bool has_nearest = setting_nearest(name, nearest);
    for (char *at = nearest; *at; at++)
        *at = (char)toupper((unsigned char)*at);
    config_report_add(report, is_fault, variable,
                      has_nearest ? "is not known; did you mean " PREFIX "%s?" : "is not known%s",
                      nearest);
}

static bool add_copy(char ***list, const char *entry)
{
    size_t count = 0;
    while (*list && (*list)[count])
        count++;
    char **longer = realloc(*list, (count + 2) * sizeof(*longer));
    if (!longer)
        return false;
    *list = longer;
    longer[count] = strdup(entry);
    longer[count + 1] = NULL;
    return longer[count] != NULL;
}

void config_wiped_free(char **wiped)
{
    for (char **entry = wiped; entry && *entry; entry++)
        wipe_free(*entry);
    free(wiped);
}

// Takes one variable in. True where it is a secret, which its memory should not show any longer.
static bool take(const char *entry, const char *value, struct setting_values *values,
                 char **ret_file, struct config_report *report)
{
    AUTO_FREE char *variable = strndup(entry, (size_t)(value - 1 - entry));
    AUTO_FREE char *name = variable ? lower_name(variable, strlen(variable)) : NULL;
    if (!name) {
        report->failed = true;
        return false;
    }
    bool is_file = false;
    int place = setting_find(name, &is_file);
    if (place < 0 && strcmp(name, "config") == 0) {
        free(*ret_file);
        *ret_file = *value ? strdup(value) : NULL;
        report->failed = report->failed || (*value && !*ret_file);
    } else if (place < 0 && !is_service_link(variable, value)) {
        report_unknown(variable, name, !config_only_setting(values->purpose), report);
    }
    if (place < 0)
        return false;

    // An empty variable is one that is not set: that is what `${X:-}` in a compose file gives.
    if (*value && setting_values_want(values, place)) {
        char *text =
            is_file ? config_read_secret(value, variable, values->kind, report) : strdup(value);
        setting_values_put(values, place, text, variable, report);
    }
    return config_settings[place].secret && !is_file;
}

// The text behind "NAME=" of a variable that is meant for us, or NULL.
static char *value_of(char *entry)
{
    char *equals = strchr(entry, '=');
    return equals && strncmp(entry, PREFIX, PREFIX_SIZE) == 0 ? equals + 1 : NULL;
}

// Copies a secret to the list, and wipes the value where every reader of /proc/PID/environ would
// find it.
static void wipe(char *entry, char *value, char ***wiped, struct config_report *report)
{
    if (!add_copy(wiped, entry))
        report->failed = true;
    explicit_bzero(value, strlen(value));
    AUTO_FREE char *variable = strndup(entry, (size_t)(value - 1 - entry));
    if (variable)
        unsetenv(variable);
    else
        report->failed = true;
}

void config_read_environment(struct setting_values *values, char **ret_file, char ***ret_wiped,
                             struct config_report *report)
{
    for (size_t i = 0; environ && environ[i];) {
        char *entry = environ[i], *value = value_of(entry);
        if (value && take(entry, value, values, ret_file, report))
            wipe(entry, value, ret_wiped, report);
        if (environ[i] == entry)
            i++; // else the next one has moved here
    }
}

void config_reread_environment(char *const *wiped, struct setting_values *values, char ***ret_wiped,
                               struct config_report *report)
{
    AUTO_FREE char *file = NULL; // the one that was found at the start stays
    char *const *const lists[] = {environ, wiped};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        for (char *const *entry = lists[i]; entry && *entry; entry++) {
            const char *value = value_of(*entry);
            if (value)
                take(*entry, value, values, &file, report);
        }
    for (; wiped && *wiped; wiped++)
        if (!add_copy(ret_wiped, *wiped))
            report->failed = true;
}

char **config_exec_environment(const struct config *config)
{
    size_t kept = 0, wiped = 0;
    while (environ && environ[kept])
        kept++;
    while (config->wiped && config->wiped[wiped])
        wiped++;
    char **all = calloc(kept + wiped + 1, sizeof(*all));
    if (!all)
        return NULL;
    if (kept)
        memcpy(all, environ, kept * sizeof(*all));
    if (wiped)
        memcpy(all + kept, config->wiped, wiped * sizeof(*all));
    return all;
}
