// composer.h - what every mail is made with: texts, sender and settings, loaded once.
#ifndef RELAY_COMPOSER_COMPOSER_H
#define RELAY_COMPOSER_COMPOSER_H

#include <jansson.h>

#include "relay/composer/address.h"

struct mime;
struct renderer;

struct composer_settings {
    const char *templates_dir, *default_locale, *timezone;
    const char *mail_from;   // "Acme <no-reply@acme.example>"
    const char *reply_to;    // or NULL
    const json_t *lifetimes; // template -> milliseconds, only those configured; or NULL
};

struct composer { // fields for reading
    struct renderer *renderer;
    struct mime *mime;
    struct address sender;
    json_t *lifetimes; // never NULL
};

// Appends every fault to faults, as renderer_load() does, and returns NULL if there was one.
struct composer *composer_create(const struct composer_settings *settings, json_t *faults);
void composer_destroy(struct composer *composer); // NULL is a no-op

#endif
