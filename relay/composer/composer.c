#include "relay/composer/composer.h"

#include <stdlib.h>

#include "relay/composer/mime.h"
#include "templates/renderer.h"

static void add_fault(json_t *faults, const char *where, const char *what)
{
    // Without memory for it the fault is lost, but not the failure: the caller returns NULL.
    json_array_append_new(faults, json_pack("{s:s, s:s}", "where", where, "what", what));
}

static bool load(struct composer *composer, const struct composer_settings *settings,
                 json_t *faults)
{
    struct error error;
    char name[ADDRESS_NAME_SIZE] = "";
    bool sender_is_good = address_parse_named(settings->mail_from, name, &composer->sender, &error);
    if (!sender_is_good) {
        add_fault(faults, "mail_from", error.message);
    } else {
        composer->mime = mime_create(&composer->sender, name, settings->reply_to, &error);
        if (!composer->mime)
            add_fault(faults, "mail_reply_to", error.message);
    }
    // A sender without a name still has to call the service something: the reader knows its domain.
    const char *domain = sender_is_good ? composer->sender.text + composer->sender.domain_at : NULL;
    // Where there is no sender, that was reported, and the brand that lacks a name is no fault.
    const char *brand = name[0] ? name : domain ? domain : "?";
    // Loaded all the same, so that an operator sees every fault at once.
    composer->renderer = renderer_load(settings->templates_dir, settings->default_locale,
                                       settings->timezone, brand, faults);
    composer->lifetimes = settings->lifetimes ? json_deep_copy(settings->lifetimes) : json_object();
    return composer->mime && composer->renderer && composer->lifetimes;
}

struct composer *composer_create(const struct composer_settings *settings, json_t *faults)
{
    struct composer *composer = calloc(1, sizeof(*composer));
    if (!composer || !load(composer, settings, faults)) {
        composer_destroy(composer);
        return NULL;
    }
    return composer;
}

void composer_destroy(struct composer *composer)
{
    if (!composer)
        return;
    renderer_destroy(composer->renderer);
    mime_destroy(composer->mime);
    json_decref(composer->lifetimes);
    free(composer);
}
