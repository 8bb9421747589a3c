#include "relay/composer/answer.h"

#include <string.h>

#include "jsonnet/normaliser.h"
#include "relay/base/buffer.h"
#include "relay/base/cleanup.h"
#include "relay/base/clock.h"
#include "relay/composer/compose.h"
#include "relay/composer/composer.h"
#include "relay/composer/fallback.h"
#include "relay/composer/preview.h"
#include "relay/composer/reply.h"
#include "templates/renderer.h"

static bool malformed(struct error *err, const char *op)
{
    return error_set(err, ERR_INPUT, "request: %s", op);
}

// began_us: since when mails are made of the normaliser's result.
static bool answer_composed(int fd, const json_t *request, struct composition *composition,
                            int64_t normaliser_us, int64_t began_us, struct error *err)
{
    const struct composed_in spent = {normaliser_us, clock_boot_us() - began_us};
    bool written = reply_composed(fd, request, composition, &spent, err);
    composition_finish(composition);
    return written;
}

static bool read_request(json_t *header, struct compose_request *ret_request)
{
    json_int_t elapsed_ms, wall_ms;
    const char *id;
    if (json_unpack(header, "{s:s, s:I, s:I}", "id", &id, "elapsed_ms", &elapsed_ms, "wall_ms",
                    &wall_ms) != 0)
        return false;
    *ret_request = (struct compose_request){id, elapsed_ms, wall_ms, NULL};
    return true;
}

bool answer_render(int fd, struct composer *composer, json_t *header, const struct frame_blob *blob,
                   struct error *err)
{
    struct compose_request request;
    struct composition composition;
    struct error error;
    int64_t began_us = clock_boot_us();
    if (!read_request(header, &request))
        return malformed(err, "render");
    json_auto_t *canonical = json_loadb(blob->data, blob->size, 0, NULL);
    if (!canonical)
        return reply_failed(fd, header, "not_canonical", "the stored mail is no JSON", err);
    if (!compose_render(composer, &request, canonical, &composition, &error))
        return reply_failed(fd, header, "render_failed", error.message, err);
    return answer_composed(fd, header, &composition, 0, began_us, err);
}

bool answer_preview(int fd, struct composer *composer, json_t *header,
                    const struct frame_blob *blob, struct error *err)
{
    struct compose_request request;
    struct error error;
    if (!read_request(header, &request))
        return malformed(err, "preview");
    const struct preview_choice choice = {
        .locale = json_string_value(json_object_get(header, "locale")),
        .brand = json_string_value(json_object_get(header, "brand")),
    };
    json_auto_t *canonical = json_loadb(blob->data, blob->size, 0, NULL);
    AUTO_PREVIEW struct preview preview = {0};
    if (preview_make(composer, &request, &choice, canonical, &preview, &error))
        return reply_previewed(fd, header, &preview, err);
    bool is_choice = error.code == ERR_INPUT && strncmp(error.message, "unknown_", 8) == 0;
    return reply_failed(fd, header, is_choice ? error.message : "preview_failed", error.message,
                        err);
}

bool answer_describe(int fd, const struct composer *composer, const json_t *header,
                     struct error *err)
{
    json_t *description = renderer_describe(composer->renderer);
    if (!description)
        return reply_failed(fd, header, "describe_failed", "no memory", err);
    return reply_described(fd, header, description, err);
}

bool answer_payload(int fd, struct composer *composer, json_t *header, json_t *defaults,
                    json_t *document, json_t *result, int64_t normaliser_us, struct error *err)
{
    struct compose_request request;
    struct composition composition;
    struct error error;
    int64_t began_us = clock_boot_us();
    if (!read_request(header, &request))
        return malformed(err, "compose");
    request.defaults = defaults;
    if (!compose_payload(composer, &request, document, result, &composition, &error))
        return reply_failed(fd, header, "compose_failed", error.message, err);
    return answer_composed(fd, header, &composition, normaliser_us, began_us, err);
}

bool answer_fallback(int fd, struct composer *composer, json_t *header, json_t *defaults,
                     json_t *document, struct error *err)
{
    json_auto_t *canonical = fallback_canonical(document);
    if (!canonical)
        return reply_failed(fd, header, "compose_failed", "no memory", err);
    return answer_payload(fd, composer, header, defaults, document, canonical, 0, err);
}

bool answer_unparseable(int fd, struct composer *composer, json_t *header,
                        const struct frame_blob *blob, struct error *err)
{
    struct composition composition;
    struct error error;
    int64_t began_us = clock_boot_us();
    if (!compose_unparseable(composer, blob->data, blob->size, &composition, &error))
        return reply_failed(fd, header, "compose_failed", error.message, err);
    return answer_composed(fd, header, &composition, 0, began_us, err);
}

bool answer_evaluate(int fd, const json_t *header, const struct frame_blob *blob, struct error *err)
{
    const char *file = json_string_value(json_object_get(header, "file"));
    const char *dir = json_string_value(json_object_get(header, "dir"));
    if (!file || !dir)
        return malformed(err, "evaluate");
    AUTO_BUFFER struct buffer text; // may hold passwords
    buffer_init(&text, blob->size);
    buffer_append(&text, blob->data, blob->size);
    if (text.failed || strlen(text.data) != blob->size)
        return reply_failed(fd, header, "not_evaluated", "no text: it holds a NUL byte", err);
    struct error error;
    AUTO_FREE char *json = normaliser_evaluate_config(text.data, file, dir, &error);
    if (!json)
        return reply_failed(fd, header, "not_evaluated", error.message, err);
    return reply_evaluated(fd, json, err);
}
