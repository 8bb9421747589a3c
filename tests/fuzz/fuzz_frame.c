// fuzz_frame.c - bytes from a child gone mad through the frame reader, in pieces of any size.
//
// Input: one byte that says how large the pieces are, then the stream. A second, plain reading
// of the format in frame.h says which frames must come out and how it must end.
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/base/cleanup.h"
#include "relay/base/frame.h"
#include "tests/fuzz/fuzz.h"

enum { FIXED_SIZE = 12, PIECES_MAX = 64 };

enum expectation { EXPECT_FRAME, EXPECT_MORE, EXPECT_FAULT };

static size_t number_at(const uint8_t *at)
{
    return at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16 | (size_t)at[3] << 24;
}

// What stands at the beginning of the stream, by frame.h's description alone.
static enum expectation look(const uint8_t *stream, size_t size, size_t *ret_frame_size)
{
    if (size < FIXED_SIZE)
        return EXPECT_MORE;
    size_t header_size = number_at(stream + 4), blob_count = number_at(stream + 8);
    if (memcmp(stream, "CRf1", 4) != 0 || header_size > FRAME_HEADER_MAX ||
        blob_count > FRAME_BLOBS_MAX)
        return EXPECT_FAULT;
    size_t total = FIXED_SIZE + 4 * blob_count;
    if (size < total)
        return EXPECT_MORE;
    total += header_size;
    for (size_t i = 0; i < blob_count; i++) {
        total += number_at(stream + FIXED_SIZE + 4 * i);
        if (total > FRAME_TOTAL_MAX)
            return EXPECT_FAULT;
    }
    *ret_frame_size = total;
    return size < total ? EXPECT_MORE : EXPECT_FRAME;
}

static void check_frame(const struct frame_reader *reader, const struct frame *frame,
                        const uint8_t *stream, size_t frame_size)
{
    const char *start = reader->bytes.data, *end = start + reader->bytes.size;
    FUZZ_CHECK(frame->header >= start && frame->header + frame->header_size <= end,
               "the header lies in what was read");
    for (size_t i = 0; i < frame->blob_count; i++) {
        const char *blob = frame->blobs[i].data;
        FUZZ_CHECK(blob >= start && blob + frame->blobs[i].size <= end,
                   "a blob lies in what was read");
    }
    struct error err;
    AUTO_BUFFER struct buffer again;
    buffer_init(&again, FRAME_TOTAL_MAX);
    FUZZ_CHECK(frame_encode(&again, frame, &err), "what was read can be written");
    FUZZ_CHECK(again.size == frame_size && memcmp(again.data, stream, frame_size) == 0,
               "and is written as it was read");
}

// Reads whatever is there; the place in the stream moves on by each frame. False: it is over.
static bool drain(struct frame_reader *reader, int fd, const uint8_t *stream, size_t fed,
                  size_t *at)
{
    for (;;) {
        struct frame frame;
        struct error err;
        size_t frame_size = 0;
        enum expectation expected = look(stream + *at, fed - *at, &frame_size);
        switch (frame_read(reader, fd, &frame, &err)) {
        case FRAME_READY:
            FUZZ_CHECK(expected == EXPECT_FRAME, "a frame is given only where one is whole");
            check_frame(reader, &frame, stream + *at, frame_size);
            *at += frame_size;
            continue;
        case FRAME_AGAIN:
            FUZZ_CHECK(expected == EXPECT_MORE, "nothing that is whole is kept back");
            return true;
        case FRAME_ERROR:
            FUZZ_CHECK(expected == EXPECT_FAULT && err.code == ERR_CORRUPT,
                       "only what is no frame is refused");
            return false;
        case FRAME_END:
            FUZZ_CHECK(false, "the peer has not closed yet");
        }
    }
}

static void check_end(struct frame_reader *reader, int fd, size_t left)
{
    struct frame frame;
    struct error err;
    enum frame_status status = frame_read(reader, fd, &frame, &err);
    FUZZ_CHECK(status == (left == 0 ? FRAME_END : FRAME_ERROR),
               "a stream that is cut off is a fault, one that ends between frames is not");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const uint8_t *stream = data + 1;
    size_t stream_size = size - 1, piece = data[0] + 1u;
    if (piece < stream_size / PIECES_MAX) // a byte at a time costs time, and teaches no more
        piece = stream_size / PIECES_MAX;
    int fds[2];
    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0, "a socket pair");
    FUZZ_CHECK(fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0, "a non-blocking end");
    struct frame_reader reader;
    frame_reader_init(&reader);

    size_t at = 0, fed = 0;
    bool going = true;
    while (going && fed < stream_size) {
        size_t next = piece < stream_size - fed ? piece : stream_size - fed;
        FUZZ_CHECK(write(fds[1], stream + fed, next) == (ssize_t)next, "the socket takes a piece");
        fed += next;
        going = drain(&reader, fds[0], stream, fed, &at);
    }
    close(fds[1]);
    if (going)
        check_end(&reader, fds[0], stream_size - at);
    frame_reader_finish(&reader);
    close(fds[0]);
    return 0;
}
