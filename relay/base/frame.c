#include "relay/base/frame.h"

#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char frame_magic[4] = "CRf1";

enum { FIXED_SIZE = sizeof(frame_magic) + 2 * sizeof(uint32_t), READ_SIZE = 64 * 1024 };

void frame_reader_init(struct frame_reader *reader)
{
    // One frame and one read beyond it is the most that can be in here.
    buffer_init(&reader->bytes, FRAME_TOTAL_MAX + READ_SIZE);
    reader->used = 0;
}

void frame_reader_finish(struct frame_reader *reader)
{
    buffer_finish(&reader->bytes);
}

void frame_reader_drop(struct frame_reader *reader)
{
    buffer_consume(&reader->bytes, reader->used);
    reader->used = 0;
}

static uint32_t get_u32(const char *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return le32toh(value);
}

static void put_u32(struct buffer *out, size_t value)
{
    uint32_t wire = htole32((uint32_t)value);
    buffer_append(out, &wire, sizeof(wire));
}

// Looks for a frame at the start of the bytes. FRAME_AGAIN: not whole yet.
static enum frame_status parse(struct frame_reader *reader, struct frame *ret_frame,
                               struct error *err)
{
    const char *data = reader->bytes.data;
    size_t size = reader->bytes.size;
    if (size < FIXED_SIZE)
        return FRAME_AGAIN;
    size_t header_size = get_u32(data + 4), blob_count = get_u32(data + 8);
    if (memcmp(data, frame_magic, sizeof(frame_magic)) != 0 || header_size > FRAME_HEADER_MAX ||
        blob_count > FRAME_BLOBS_MAX) {
        error_set(err, ERR_CORRUPT, "frame: no magic, or %zu bytes of header, or %zu blobs",
                  header_size, blob_count);
        return FRAME_ERROR;
    }
    size_t head = FIXED_SIZE + blob_count * sizeof(uint32_t);
    if (size < head)
        return FRAME_AGAIN;

    size_t total = head + header_size;
    struct frame frame = {
        .header = data + head, .header_size = header_size, .blob_count = blob_count};
    for (size_t i = 0; i < blob_count; i++) {
        size_t blob_size = get_u32(data + FIXED_SIZE + i * sizeof(uint32_t));
        if (blob_size > FRAME_TOTAL_MAX - total) {
            error_set(err, ERR_CORRUPT, "frame: blob %zu of %zu bytes is over the limit", i,
                      blob_size);
            return FRAME_ERROR;
        }
        frame.blobs[i] = (struct frame_blob){data + total, blob_size};
        total += blob_size;
    }
    if (size < total)
        return FRAME_AGAIN;
    reader->used = total;
    *ret_frame = frame;
    return FRAME_READY;
}

enum frame_status frame_read(struct frame_reader *reader, int fd, struct frame *ret_frame,
                             struct error *err)
{
    frame_reader_drop(reader);
    for (;;) {
        enum frame_status status = parse(reader, ret_frame, err);
        if (status != FRAME_AGAIN)
            return status;
        char *to = buffer_reserve(&reader->bytes, READ_SIZE);
        if (!to) {
            error_set(err, ERR_TEMPORARY, "frame: no memory for it");
            return FRAME_ERROR;
        }
        ssize_t got = read(fd, to, READ_SIZE);
        if (got > 0) {
            buffer_added(&reader->bytes, (size_t)got);
        } else if (got == 0) {
            if (reader->bytes.size == 0)
                return FRAME_END;
            error_set(err, ERR_IO, "frame: cut off after %zu bytes", reader->bytes.size);
            return FRAME_ERROR;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return FRAME_AGAIN;
        } else if (errno != EINTR) {
            error_errno(err, ERR_IO, "frame: read");
            return FRAME_ERROR;
        }
    }
}

bool frame_encode(struct buffer *out, const struct frame *frame, struct error *err)
{
    size_t total = FIXED_SIZE + frame->blob_count * sizeof(uint32_t) + frame->header_size;
    if (frame->header_size > FRAME_HEADER_MAX || frame->blob_count > FRAME_BLOBS_MAX)
        return error_set(err, ERR_INPUT, "frame: header of %zu bytes or %zu blobs are too much",
                         frame->header_size, frame->blob_count);
    for (size_t i = 0; i < frame->blob_count; i++) {
        if (frame->blobs[i].size > FRAME_TOTAL_MAX - total)
            return error_set(err, ERR_INPUT, "frame: blob %zu of %zu bytes is over the limit", i,
                             frame->blobs[i].size);
        total += frame->blobs[i].size;
    }
    if (!buffer_reserve(out, total))
        return error_set(err, ERR_TEMPORARY, "frame: no room for %zu bytes", total);

    buffer_append(out, frame_magic, sizeof(frame_magic));
    put_u32(out, frame->header_size);
    put_u32(out, frame->blob_count);
    for (size_t i = 0; i < frame->blob_count; i++)
        put_u32(out, frame->blobs[i].size);
    buffer_append(out, frame->header, frame->header_size);
    for (size_t i = 0; i < frame->blob_count; i++)
        buffer_append(out, frame->blobs[i].data, frame->blobs[i].size);
    return true;
}

// MSG_NOSIGNAL: a child that has died is an error to handle, not a SIGPIPE.
bool frame_flush(struct buffer *pending, int fd, struct error *err)
{
    size_t done = 0;
    bool ok = true;
    while (done < pending->size) {
        ssize_t sent = send(fd, pending->data + done, pending->size - done, MSG_NOSIGNAL);
        if (sent >= 0) {
            done += (size_t)sent;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            break;
        } else if (errno != EINTR) {
            ok = error_errno(err, ERR_IO, "frame: send");
            break;
        }
    }
    buffer_consume(pending, done);
    return ok;
}

bool frame_write(int fd, const struct frame *frame, struct error *err)
{
    AUTO_BUFFER struct buffer bytes;
    buffer_init(&bytes, FRAME_TOTAL_MAX);
    if (!frame_encode(&bytes, frame, err) || !frame_flush(&bytes, fd, err))
        return false;
    if (bytes.size > 0)
        return error_set(err, ERR_IO, "frame: the descriptor is non-blocking and full");
    return true;
}
