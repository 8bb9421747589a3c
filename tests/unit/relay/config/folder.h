// folder.h - what the tests of settings share: no settings of ours, a folder, a look at
// reports.
//
// To be included behind cmocka.h.
#ifndef TESTS_UNIT_RELAY_CONFIG_FOLDER_H
#define TESTS_UNIT_RELAY_CONFIG_FOLDER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/config/config.h"
#include "relay/config/parts.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define KEY "key-0123456789abcdef"

static inline void clear_environment(void)
{
    for (size_t i = 0; environ[i];) {
        char name[128];
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(environ[i], "="), environ[i]);
        if (strncmp(name, "RELAY_", 6) == 0 || strcmp(name, "STATE_DIRECTORY") == 0)
            unsetenv(name);
        else
            i++;
    }
}

// The three settings without which there is no relay.
static inline void set_needed(void)
{
    setenv("RELAY_API_KEY", KEY, 1);
    setenv("RELAY_SMTP_URI", "smtp://mail.example:25/?disable_starttls=true", 1);
    setenv("RELAY_MAIL_FROM", "Acme <no-reply@acme.example>", 1);
}

// A fresh folder, gone again after the test.
static inline int set_up(void **state)
{
    clear_environment();
    char *dir = strdup("/tmp/test_config.XXXXXX");
    *state = dir;
    return dir && mkdtemp(dir) ? 0 : -1;
}

static inline int tear_down(void **state)
{
    static const char *const names[] = {"secret", "empty",    "ca.pem",
                                        "pipe",   "composer", "relay.jsonnet"};
    for (size_t i = 0; i < COUNT(names); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", (char *)*state, names[i]);
        unlink(path);
    }
    int status = rmdir(*state);
    free(*state);
    return status;
}

static inline char *write_file(const char *dir, const char *name, const char *text, mode_t mode)
{
    char *path = NULL;
    assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
    return path;
}

// Is there a finding with that place and that text in it?
static inline bool reports(const struct config_report *report, bool fault, const char *where,
                           const char *what)
{
    for (size_t i = 0; i < report->count; i++) {
        const struct config_finding *finding = &report->findings[i];
        if (finding->fault == fault && strstr(finding->where, where) && strstr(finding->what, what))
            return true;
    }
    for (size_t i = 0; i < report->count; i++)
        print_message("%s: %s\n", report->findings[i].where, report->findings[i].what);
    return false;
}

#endif
