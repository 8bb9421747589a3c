#include "relay/composer/letter.h"

#include <string.h>

#include "relay/composer/mime.h"
#include "relay/composer/query.h"

#define UI_LOCALES_SIZE 128

// ui_locales (OpenID Connect), or what sites call it themselves.
static const char *ui_locales(const struct mail *mail, char buffer[UI_LOCALES_SIZE])
{
    static const char *const names[] = {"ui_locales", "lang", "locale"};
    const char *url = mail_data_text(mail, "request_url");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (query_value(url, names[i], buffer, UI_LOCALES_SIZE))
            return buffer;
    }
    return NULL;
}

// The renderer's reason as one that a mail is parked for; NULL: it is none.
static const char *park_reason(const struct error *error)
{
    static const char *const reasons[] = {"no_content", "link_not_allowed"};
    for (size_t i = 0; error->code == ERR_INPUT && i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (strcmp(error->message, reasons[i]) == 0)
            return reasons[i];
    }
    return NULL;
}

static int64_t received_wall_ms(const struct letter *letter)
{
    return letter->wall_ms - letter->elapsed_ms;
}

// 0: nobody said.
static int64_t expires_wall_ms(const struct letter *letter)
{
    const struct envelope *envelope = letter->envelope;
    return envelope->lifetime_stated ? received_wall_ms(letter) + envelope->lifetime_ms : 0;
}

bool letter_render(const struct composer *composer, const struct letter *letter,
                   struct rendered *ret_rendered, const char **ret_park, struct error *err)
{
    const struct mail *mail = letter->mail;
    const struct envelope *envelope = letter->envelope;
    char wishes[UI_LOCALES_SIZE];
    const struct render_request request = {
        .template = mail->template,
        .data = mail->data,
        .locales = mail->locales,
        .accept_language = mail->accept_language,
        .ui_locales = ui_locales(mail, wishes),
        .default_locale = mail->default_locale,
        .timezone = mail->timezone,
        .brand = letter->brand ? letter->brand : mail->brand,
        .locale = letter->locale,
        .browser = mail->client.browser,
        .system = mail->client.system,
        .minutes_left = envelope_minutes_left(envelope, letter->elapsed_ms),
        .received_wall_ms = received_wall_ms(letter),
        .expires_wall_ms = expires_wall_ms(letter),
        .now_wall_ms = letter->wall_ms,
        .subject = mail->subject,
        .text = mail->text,
        .html = mail->html,
    };
    struct error error;
    *ret_park = NULL;
    if (renderer_render(composer->renderer, &request, ret_rendered, &error))
        return true;
    *ret_park = park_reason(&error);
    return *ret_park || error_set(err, error.code, "%s", error.message);
}

bool letter_write(const struct composer *composer, const struct letter *letter,
                  const struct rendered *rendered, struct buffer *out, struct error *err)
{
    const struct mail *mail = letter->mail;
    const struct mime_mail mime = {
        .id = letter->id,
        .wall_ms = letter->wall_ms,
        .expires_wall_ms = expires_wall_ms(letter),
        .to = letter->envelope->recipient.text,
        .subject = rendered->subject,
        .language = rendered->language,
        .text = rendered->text,
        .html = rendered->html,
        .headers = composer->headers,
        .values = {mail->template, rendered->brand->id, rendered->locale, letter->id},
    };
    return mime_write(composer_mime(composer, rendered->brand), &mime, out, err);
}
