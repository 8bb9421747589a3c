// config.h - every setting of the relay: read and checked as a whole, const from then on.
//
// A setting is a key of the Jsonnet configuration file and a variable ("mail_from",
// RELAY_MAIL_FROM), which wins; all are in settings.c. A secret may be a file: "api_key_file".
#ifndef RELAY_CONFIG_H
#define RELAY_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/api_key.h"
#include "relay/base/error.h"
#include "relay/base/log.h"
#include "relay/config/report.h"
#include "relay/endpoint.h"
#include "relay/rate_limit.h"
#include "relay/smarthosts/smarthost.h"

struct config_lifetime {
    char *type; // "login_code_valid"
    int64_t ms;
};

struct config_route {  // a path that takes payloads
    char *name;        // "kratos"
    char *path;        // "/kratos/webhook"
    char *normaliser;  // file
    char **keys;       // names of those that may post, NULL-terminated; NULL: every key
    char *defaults;    // JSON object: what a mail has where the normaliser leaves it out; or NULL
    char *samples_dir; // payloads that `check` and a reload try; NULL: none
};

struct config { // texts are never NULL unless said so
    struct endpoint listen;
    bool admin_off; // RELAY_ADMIN_LISTEN=off
    struct endpoint admin_listen;
    struct api_keys *api_keys;
    struct api_keys *admin_keys; // NULL: none
    char *clear_api_key;         // secret: the first key not given as a digest, for `send`; or NULL

    char *queue_dir;
    char *queue_key; // secret: keys of 64 hexadecimal digits; NULL: the queue's own file

    struct smarthost *smarthosts; // best first, at least one
    size_t smarthost_count;
    char *smtp_helo;
    char *mail_from;
    char *reply_to;     // or NULL
    char *mail_headers; // JSON object: name -> text; or NULL
    struct config_lifetime *lifetimes;
    size_t lifetime_count;

    char *templates_dir;
    char *normaliser;            // file; Kratos' route has the same
    bool normaliser_in_routes;   // it was named there, not by the setting `normaliser`
    struct config_route *routes; // the first is Kratos'
    size_t route_count;
    char *locale, *timezone;
    enum log_format log_format;
    enum log_level log_level;
    int64_t body_limit_bytes;
    int64_t shutdown_grace_ms;
    int64_t connections; // per smarthost
    int64_t transaction_timeout_ms, deadline_margin_ms, retention_ms;
    struct rates rate_recipient, rate_total;
    char *composer_path, *deliverer_path;     // the children's programs
    char *samples_dir;                        // payloads that `check` composes
    char *file;                               // the configuration file, or NULL
    char **places;                            // where each setting was found; see config_place()
    struct config_fingerprints *fingerprints; // see config_next_change()
    struct config_holders *holders; // NULL: it was not read, but made by somebody, whose it is
    char **wiped; // "RELAY_API_KEY=..." as found in the environment, NULL-terminated; secret
};

enum config_purpose {
    CONFIG_FOR_RELAY,     // serve, check: what must be set has to be there
    CONFIG_FOR_COMMAND,   // what is not set is NULL or empty, and no fault
    CONFIG_FOR_QUEUE,     // only queue_dir is there; what is wrong with the others does not matter
    CONFIG_FOR_HEALTH,    // only listen
    CONFIG_FOR_MAILS,     // only what mails are made of; a sender is made up where none is set
    CONFIG_FOR_TEMPLATES, // the same, with the shipped normaliser whatever is set
};

// Reads the file (NULL: RELAY_CONFIG; without that either, none) and the environment, and checks
// every value. A file's name is relative to the folder of the configuration file where it stands in
// that, else to the working directory. Secrets are wiped from the environment's memory and removed
// from it. NULL where there was a fault: *ret_report, which the caller finishes, says which. Call
// once, before threads are started.
struct config *config_load(const char *file, enum config_purpose purpose,
                           struct config_report *ret_report);

// Reads everything anew, as for the relay: the environment as it was at the start, the files as
// they are now. Changes neither environment nor old, shares nothing with old, and other threads may
// run.
struct config *config_reload(const struct config *old, struct config_report *ret_report);

// It is there, with its secrets, until it is destroyed and released as often as held. One thread.
void config_destroy(struct config *config); // NULL is a no-op
const struct config *config_hold(const struct config *config);
void config_release(const struct config *config); // NULL is a no-op

// The names of the settings whose values differ between a config and one reloaded from it, one
// per call, static: start with *number 0; NULL: no more. What is in a secret's file is its value,
// of other files only the name is. *ret_reloads: a running relay takes it over.
const char *config_next_change(const struct config *before, const struct config *after,
                               size_t *number, bool *ret_reloads);

// Where the operator set "locale": "RELAY_LOCALE" or "relay.jsonnet: locale"; a default goes by its
// variable. What is no setting's name comes back as it is. Valid as long as config and name.
const char *config_place(const struct config *config, const char *name);

// The environment for executing oneself anew: today's, and the secrets that were wiped from it. The
// caller frees the list; what it points to stays config's. NULL: no memory.
char **config_exec_environment(const struct config *config);

// Prints a table of all settings, with their defaults, to standard output.
void config_print_settings(void);

#endif
