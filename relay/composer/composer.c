#include "relay/composer/composer.h"

#include <stdio.h>
#include <stdlib.h>

#include "relay/base/cleanup.h"
#include "relay/composer/headers.h"
#include "relay/composer/mime.h"
#include "templates/fault.h"
#include "templates/renderer.h"

static void add_fault(json_t *faults, const char *where, const char *what)
{
    // Without memory for it the fault is lost, but not the failure: the caller returns NULL.
    json_array_append_new(faults, json_pack("{s:s, s:s}", "where", where, "what", what));
}

// An address that answers go to stands in a header only: for it alone no server is asked to take
// UTF-8 there (RFC 6531 §3.4), and so it has to do without.
static bool parse_reply_to(const char *text, struct mailbox *ret_mailbox, struct error *err)
{
    if (!mailbox_parse(text, ret_mailbox, err))
        return false;
    return !ret_mailbox->address.smtputf8 ||
           error_set(err, ERR_INPUT, "the part before the @ is not ASCII");
}

// What mails of every brand say where it says nothing else.
static bool load_sender(const struct composer_settings *settings, struct mime_sender *sender,
                        json_t *faults)
{
    struct error error;
    bool is_good = mailbox_parse(settings->mail_from, &sender->from, &error);
    if (!is_good)
        add_fault(faults, "mail_from", error.message);
    if (settings->reply_to && !parse_reply_to(settings->reply_to, &sender->reply_to, &error)) {
        add_fault(faults, "mail_reply_to", error.message);
        return false;
    }
    return is_good;
}

static void add_brand_fault(json_t *faults, const struct brand *brand, const char *key,
                            const char *what)
{
    // From's name may be the brand's own.
    size_t line = brand_line_of(brand, key);
    fault_at(faults, brand->path, line ? line : brand_line_of(brand, "name"), "%s: %s", key, what);
}

// sender: everybody's, of which the brand keeps what it has not got itself. NULL: a fault.
static struct mime *create_mime(const struct brand *brand, struct mime_sender sender,
                                json_t *faults)
{
    struct error error;
    if (brand->reply_to && !parse_reply_to(brand->reply_to, &sender.reply_to, &error)) {
        add_brand_fault(faults, brand, "reply_to", error.message);
        return NULL;
    }
    if (brand->from_name && !mailbox_rename(&sender.from, brand->from_name, &error)) {
        add_brand_fault(faults, brand, "from_name", error.message);
        return NULL;
    }
    struct mime *mime = mime_create(&sender, &error);
    if (!mime)
        add_fault(faults, "mail_from", error.message);
    return mime;
}

static bool load_brands(struct composer *composer, const struct mime_sender *sender, json_t *faults)
{
    size_t count = renderer_brand_count(composer->renderer);
    composer->mimes = calloc(count, sizeof(struct mime *));
    bool ok = composer->mimes != NULL;
    for (size_t i = 0; composer->mimes && i < count; i++) {
        const struct brand *brand = renderer_brand(composer->renderer, i);
        composer->mimes[composer->mime_count++] = create_mime(brand, *sender, faults);
        ok = ok && composer->mimes[i];
    }
    return ok;
}

static bool load(struct composer *composer, const struct composer_settings *settings,
                 json_t *faults)
{
    struct mime_sender sender = {0};
    bool ok = load_sender(settings, &sender, faults);
    composer->sender = sender.from.address;
    // A sender without a name still has to call the service something: the reader knows its
    // domain. Where there is no sender, that was reported, and that a brand lacks a name is no
    // fault.
    const struct mailbox *from = &sender.from;
    const char *domain = from->address.text + from->address.domain_at;
    const char *name = from->name[0] ? from->name : domain[0] ? domain : "?";
    // Loaded all the same, so that an operator sees every fault at once.
    composer->renderer = renderer_load(settings->templates_dir, settings->default_locale,
                                       settings->timezone, name, faults);
    composer->headers = headers_create(settings->headers, faults);
    composer->lifetimes = settings->lifetimes ? json_deep_copy(settings->lifetimes) : json_object();
    ok = ok && composer->renderer && load_brands(composer, &sender, faults);
    return ok && composer->headers && composer->lifetimes;
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
    for (size_t i = 0; i < composer->mime_count; i++)
        mime_destroy(composer->mimes[i]);
    free(composer->mimes);
    renderer_destroy(composer->renderer);
    headers_destroy(composer->headers);
    json_decref(composer->lifetimes);
    free(composer);
}

const struct mime *composer_mime(const struct composer *composer, const struct brand *brand)
{
    size_t i = 0;
    while (renderer_brand(composer->renderer, i) != brand)
        i++;
    return composer->mimes[i];
}
