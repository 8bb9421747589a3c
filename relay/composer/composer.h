// composer.h - what every mail is made with: texts, sender and settings, loaded once.
#ifndef RELAY_COMPOSER_COMPOSER_H
#define RELAY_COMPOSER_COMPOSER_H

#include <jansson.h>

#include "relay/composer/address.h"

struct brand;
struct headers;
struct mime;
struct renderer;

struct composer_settings {
    const char *templates_dir, *default_locale, *timezone;
    const char *mail_from;   // "Acme <no-reply@acme.example>"
    const char *reply_to;    // or NULL
    const json_t *lifetimes; // template -> milliseconds, only those configured; or NULL
    json_t *headers;         // name -> text (headers.h); or NULL
};

struct composer { // fields for reading
    struct renderer *renderer;
    struct mime **mimes; // one for each of the renderer's brands, in their order
    size_t mime_count;
    struct headers *headers;
    struct address sender;
    json_t *lifetimes; // never NULL
};

// Appends every fault to faults, as renderer_load() does, and returns NULL if there was one.
struct composer *composer_create(const struct composer_settings *settings, json_t *faults);
void composer_destroy(struct composer *composer); // NULL is a no-op

// What mails of this brand, one of the renderer's, are written with.
const struct mime *composer_mime(const struct composer *composer, const struct brand *brand);

#endif
