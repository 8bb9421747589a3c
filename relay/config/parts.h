// parts.h - what the files of config share; nobody else's business.
#ifndef RELAY_CONFIG_PARTS_H
#define RELAY_CONFIG_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/file.h"
#include "relay/config/config.h"
#include "relay/paths.h"

#define SETTING_COUNT 27
#define SETTING_VARIABLE_SIZE 64

// What a setting is for; a purpose that is not the relay's wants only some (config.h).
enum setting_part { PART_OTHER, PART_QUEUE, PART_LISTEN, PART_MAIL, PART_NORMALISER };

// One row of the table that drives the file, the environment, `check` and the manual.
struct setting {
    const char *name;
    const char *standard; // the default as text; NULL: none, or found by find_standard
    const char *shown;    // how the default is shown where it is not simply `standard`
    const char *stand_in; // in its place where mails are only looked at; or NULL
    const char *help;
    enum setting_part part;
    bool needed;
    bool secret;  // may stand in a file of its own, and is wiped
    bool json;    // the text is JSON, of whatever the file holds
    bool is_path; // in the configuration file it is relative to that file's folder
    bool reloads; // a running relay takes it over when the configuration is read again
    // Turns text into members of config. ERR_INPUT says what is wrong with it. NULL: it takes the
    // other settings to judge it (config_make_routes()).
    bool (*set)(const struct setting *setting, struct config *config, const char *text,
                struct error *err);
    // Adds what cannot be used on this machine of what was set; where: the setting's place. Or
    // NULL.
    void (*look)(const struct config *config, const char *where, struct config_report *report);
    char *(*find_standard)(const struct paths *paths); // or NULL; gives NULL: there is none
    size_t offset;                                     // the member, for the setters that share
    int64_t least, most;                               // numbers and milliseconds
    char pair; // between key and value where the file holds an object; 0: it may not
};

extern const struct setting config_settings[SETTING_COUNT];

// "RELAY_MAIL_FROM" for mail_from.
void setting_variable(const struct setting *setting, char ret_variable[SETTING_VARIABLE_SIZE]);

// The place in the table of a name as the file has it ("api_key", "api_key_file"), or -1.
int setting_find(const char *name, bool *ret_is_file);
// The known name most like this one, that of a secret's file among them, or false where none is.
bool setting_nearest(const char *name, char ret_nearest[SETTING_VARIABLE_SIZE]);

// What was found for a setting before it is checked.
struct setting_value {
    char *text;  // secret or not, wiped with the rest
    char *where; // "RELAY_LISTEN", "relay.jsonnet: listen"
    bool faulty; // a fault was reported in its place: that it is absent is no second one
};
struct setting_values {
    struct setting_value of[SETTING_COUNT];
    enum file_kind kind;         // of the files that are read: a running relay reads FILE_REGULAR
    enum config_purpose purpose; // which settings are wanted
};
void setting_values_finish(struct setting_values *values);

// Takes over text (NULL: a fault was reported for it). Reports a second value for the same
// setting: values are of one source, the environment or the file.
void setting_values_put(struct setting_values *values, int place, char *text, const char *where,
                        struct config_report *report);

// Is the setting at that place wanted? What is not wanted is neither put nor read from its file.
bool setting_values_want(const struct setting_values *values, int place);

// The one setting that is wanted for that purpose, whatever else is wrong; NULL: there are more.
const char *config_only_setting(enum config_purpose purpose);

// Reads a secret's file, without the line end behind it. The caller wipes and frees it; NULL:
// there was a fault.
char *config_read_secret(const char *path, const char *where, enum file_kind kind,
                         struct config_report *report);

// The environment: values, the configuration file's name if it is there (caller frees), and
// the secrets, "NAME=value", NULL-terminated, which are wiped from it.
void config_read_environment(struct setting_values *values, char **ret_file, char ***ret_wiped,
                             struct config_report *report);
// The same once more, where wiped is what was wiped then: *ret_wiped is a copy of it. Changes
// nothing.
void config_reread_environment(char *const *wiped, struct setting_values *values, char ***ret_wiped,
                               struct config_report *report);
void config_wiped_free(char **wiped);

// The Jsonnet file, evaluated by the composer at composer_path. False: nothing could be read of
// it, which was reported.
bool config_read_file(const char *path, const char *composer_path, struct setting_values *values,
                      struct config_report *report);

// The name of a file as seen from the folder of the configuration file that names it. The caller
// frees it; NULL: no memory.
char *config_beside(const char *file, const char *name);

// Makes config's routes: Kratos', and those of text (the setting `routes`, or NULL). To be called
// once the other settings are there. normaliser_where: where RELAY_NORMALISER was given, or NULL.
void config_make_routes(struct config *config, const char *text, const char *normaliser_where,
                        struct config_report *report);
void config_routes_free(struct config_route *routes, size_t count);

// Adds what works, but should be known at every start.
void config_warn(const struct config *config, struct config_report *report);

// A fingerprint of each setting's text, comparable with those of `like` (NULL: with none yet).
// NULL: no memory.
struct config_fingerprints *config_fingerprints_create(const struct config_fingerprints *like);
void config_fingerprints_destroy(struct config_fingerprints *prints); // NULL is a no-op
void config_fingerprints_take(struct config_fingerprints *prints, size_t number, const char *text);

#endif
