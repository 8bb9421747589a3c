#include "relay/composer/reply.h"

#include <string.h>

#include "relay/base/cleanup.h"
#include "relay/base/frame.h"

// Steals header. ERR_INPUT: the answer does not fit a frame, and nothing was written.
static bool write_frame(int fd, json_t *header, const struct frame_blob *blobs, size_t blob_count,
                        struct error *err)
{
    AUTO_FREE char *text = header ? json_dumps(header, JSON_COMPACT) : NULL;
    json_decref(header);
    if (!text)
        return error_set(err, ERR_TEMPORARY, "answer: no memory");
    struct frame frame = {.header = text, .header_size = strlen(text), .blob_count = blob_count};
    if (blob_count)
        memcpy(frame.blobs, blobs, blob_count * sizeof(*blobs));
    return frame_write(fd, &frame, err);
}

bool reply_ready(int fd, const struct confinement *confinement, struct error *err)
{
    json_auto_t *in_force = json_array();
    json_auto_t *missing = json_array();
    bool is_whole = true;
    for (size_t i = 0; i < confinement->in_force_count; i++)
        is_whole &= json_array_append_new(in_force, json_string(confinement->in_force[i])) == 0;
    for (size_t i = 0; i < confinement->missing_count; i++)
        is_whole &= json_array_append_new(missing, json_string(confinement->missing[i])) == 0;
    json_t *header = is_whole ? json_pack("{s:s, s:O, s:O}", "op", "ready", "confinement", in_force,
                                          "unconfined", missing)
                              : NULL;
    return write_frame(fd, header, NULL, 0, err);
}

bool reply_faults(int fd, json_t *faults, struct error *err)
{
    return write_frame(fd, json_pack("{s:s, s:O}", "op", "faults", "faults", faults), NULL, 0, err);
}

bool reply_evaluated(int fd, const char *json, struct error *err)
{
    const struct frame_blob blob = {json, strlen(json)};
    return write_frame(fd, json_pack("{s:s}", "op", "evaluated"), &blob, 1, err);
}

bool reply_failed(int fd, const json_t *request, const char *reason, const char *detail,
                  struct error *err)
{
    const char *id = json_string_value(json_object_get(request, "id"));
    return write_frame(fd,
                       json_pack("{s:s, s:s?, s:s, s:s}", "op", "failed", "id", id, "reason",
                                 reason, "detail", detail),
                       NULL, 0, err);
}

bool reply_composed(int fd, const json_t *request, const struct composition *composition,
                    const struct composed_in *spent, struct error *err)
{
    struct frame_blob blobs[sizeof(composition->blobs) / sizeof(composition->blobs[0])];
    for (size_t i = 0; i < composition->blob_count; i++)
        blobs[i] = (struct frame_blob){composition->blobs[i].data, composition->blobs[i].size};
    json_t *header =
        json_pack("{s:s, s:O, s:O, s:I, s:I}", "op", "composed", "id",
                  json_object_get(request, "id"), "mails", composition->mails, "normaliser_us",
                  (json_int_t)spent->normaliser_us, "compose_us", (json_int_t)spent->compose_us);
    struct error error;
    if (write_frame(fd, header, blobs, composition->blob_count, &error))
        return true;
    if (error.code == ERR_INPUT)
        return reply_failed(fd, request, "too_large", error.message, err);
    return error_set(err, error.code, "%s", error.message);
}

static struct frame_blob text_blob(const char *text)
{
    return (struct frame_blob){text, strlen(text)};
}

bool reply_described(int fd, const json_t *request, json_t *description, struct error *err)
{
    json_t *id = json_object_get(request, "id");
    if (json_object_set_new(description, "op", json_string("described")) == 0 &&
        (!id || json_object_set(description, "id", id) == 0))
        return write_frame(fd, description, NULL, 0, err);
    json_decref(description);
    return error_set(err, ERR_TEMPORARY, "answer: no memory");
}

bool reply_previewed(int fd, const json_t *request, const struct preview *preview,
                     struct error *err)
{
    json_t *id = json_object_get(request, "id");
    if (preview->park)
        return write_frame(
            fd, json_pack("{s:s, s:O, s:s}", "op", "previewed", "id", id, "park", preview->park),
            NULL, 0, err);
    const struct rendered *rendered = &preview->rendered;
    const struct frame_blob blobs[] = {
        text_blob(rendered->subject),
        text_blob(rendered->text),
        text_blob(rendered->html),
        {preview->mime.data, preview->mime.size},
    };
    json_t *header = json_pack("{s:s, s:O, s:s, s:s, s:n}", "op", "previewed", "id", id, "locale",
                               rendered->locale, "brand", rendered->brand->id, "park");
    return write_frame(fd, header, blobs, sizeof(blobs) / sizeof(blobs[0]), err);
}
