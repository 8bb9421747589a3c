// setters.h - one setting's text into its member of struct config, or what is wrong with it.
//
// All are struct setting's `set`, `look` and `find_standard` (parts.h).
#ifndef RELAY_CONFIG_SETTERS_H
#define RELAY_CONFIG_SETTERS_H

#include "relay/config/parts.h"

typedef bool setting_set_fn(const struct setting *setting, struct config *config, const char *text,
                            struct error *err);
typedef char *setting_find_fn(const struct paths *paths);

setting_set_fn set_text, set_object, set_helo, set_listen, set_admin_listen, set_api_key,
    set_admin_key, set_queue_key, set_smtp_uri, set_number, set_duration, set_lifetime,
    set_log_format, set_log_level, set_rates;

// In look.c: what is named is there, is what it should be, and may be used.
typedef void setting_look_fn(const struct config *config, const char *where,
                             struct config_report *report);
setting_look_fn look_at_queue_dir, look_at_smarthosts, look_at_templates, look_at_normaliser,
    look_at_routes;

// Defaults that depend on where and how the program runs.
setting_find_fn find_queue_dir, find_helo, find_templates_dir, find_normaliser;

#endif
