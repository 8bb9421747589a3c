#include "relay/composer/preview.h"

#include <string.h>

#include "relay/composer/envelope.h"
#include "relay/composer/letter.h"

// What was asked for is what was taken, a language perhaps in the brand's variant of it; or there
// is no such thing.
static bool check_choice(const struct preview_choice *choice, const struct rendered *rendered,
                         struct error *err)
{
    if (choice->locale && strcmp(choice->locale, rendered->locale) != 0 &&
        strcmp(choice->locale, rendered->language) != 0)
        return error_set(err, ERR_INPUT, "unknown_locale");
    if (choice->brand && strcmp(choice->brand, rendered->brand->id) != 0)
        return error_set(err, ERR_INPUT, "unknown_brand");
    return true;
}

static bool fill(struct composer *composer, const struct letter *letter,
                 const struct preview_choice *choice, struct preview *preview, struct error *err)
{
    if (!letter_render(composer, letter, &preview->rendered, &preview->park, err))
        return false;
    if (preview->park)
        return true;
    if (!check_choice(choice, &preview->rendered, err))
        return false;
    buffer_init(&preview->mime, COMPOSE_MIME_MAX);
    if (letter_write(composer, letter, &preview->rendered, &preview->mime, err))
        return true;
    if (!preview->mime.failed)
        return false;
    preview_finish(preview);
    preview->park = "too_large";
    return true;
}

bool preview_make(struct composer *composer, const struct compose_request *request,
                  const struct preview_choice *choice, const json_t *canonical,
                  struct preview *ret_preview, struct error *err)
{
    struct mail mail;
    struct envelope envelope;
    if (!mail_read(canonical, &mail, err))
        return false;
    envelope_init(&envelope, &mail, composer->lifetimes);
    envelope_address(&envelope, &mail);
    AUTO_PREVIEW struct preview preview = {.park = envelope.park};
    const struct letter letter = {
        .id = request->id,
        .elapsed_ms = request->elapsed_ms,
        .wall_ms = request->wall_ms,
        .mail = &mail,
        .envelope = &envelope,
        .locale = choice->locale,
        .brand = choice->brand,
    };
    if (!preview.park && !fill(composer, &letter, choice, &preview, err))
        return false;
    *ret_preview = preview;
    preview = (struct preview){0};
    return true;
}

void preview_finish(struct preview *preview)
{
    rendered_finish(&preview->rendered);
    buffer_finish(&preview->mime);
    *preview = (struct preview){0};
}
