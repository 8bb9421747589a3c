#include "relay/composer/letter.h"

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

// What a mail is parked for; NULL: it is not.
static const char *park_reason(enum refusal refusal)
{
    switch (refusal) {
    case REFUSAL_NO_CONTENT:
        return "no_content";
    case REFUSAL_LINK_NOT_ALLOWED:
        return "link_not_allowed";
    case REFUSAL_NONE:
        break;
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
        .subject = mail->subject,
        .text = mail->text,
        .html = mail->html,
    };
    enum refusal refusal;
    struct error error;
    if (renderer_render(composer->renderer, &request, ret_rendered, &refusal, &error)) {
        *ret_park = park_reason(refusal);
        return true;
    }
    if (error.code != ERR_INPUT)
        return error_set(err, error.code, "%s", error.message);
    // The frames were tried when they were loaded: what is too much for them is this mail's own.
    *ret_park = "too_large";
    return true;
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
