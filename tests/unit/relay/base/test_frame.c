// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/base/frame.h"

static void make_pair(int pair[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
}

static void carries_header_and_blobs(void **state)
{
    (void)state;
    int pair[2];
    make_pair(pair);
    struct frame sent = {.header = "{\"op\":\"x\"}", .header_size = 10, .blob_count = 3};
    sent.blobs[0] = (struct frame_blob){"a\0b", 3};
    sent.blobs[1] = (struct frame_blob){"", 0};
    sent.blobs[2] = (struct frame_blob){"tail", 4};
    struct error err = {0};
    assert_true(frame_write(pair[0], &sent, &err));
    assert_true(frame_write(pair[0], &sent, &err));
    close(pair[0]);

    struct frame_reader reader;
    frame_reader_init(&reader);
    struct frame got;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(frame_read(&reader, pair[1], &got, &err), FRAME_READY);
        assert_int_equal(got.header_size, 10);
        assert_memory_equal(got.header, sent.header, 10);
        assert_int_equal(got.blob_count, 3);
        assert_int_equal(got.blobs[0].size, 3);
        assert_memory_equal(got.blobs[0].data, "a\0b", 3);
        assert_int_equal(got.blobs[1].size, 0);
        assert_memory_equal(got.blobs[2].data, "tail", 4);
    }
    assert_int_equal(frame_read(&reader, pair[1], &got, &err), FRAME_END);
    frame_reader_finish(&reader);
    close(pair[1]);
}

static void arrives_byte_by_byte(void **state)
{
    (void)state;
    int pair[2];
    make_pair(pair);
    assert_int_equal(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
    AUTO_BUFFER struct buffer bytes;
    buffer_init(&bytes, 1000);
    struct frame sent = {.header = "{}", .header_size = 2, .blob_count = 1};
    sent.blobs[0] = (struct frame_blob){"blob", 4};
    struct error err = {0};
    assert_true(frame_encode(&bytes, &sent, &err));
    struct frame_reader reader;
    frame_reader_init(&reader);
    struct frame got;
    for (size_t i = 0; i < bytes.size; i++) {
        assert_int_equal(frame_read(&reader, pair[1], &got, &err), FRAME_AGAIN);
        assert_int_equal(write(pair[0], bytes.data + i, 1), 1);
    }
    assert_int_equal(frame_read(&reader, pair[1], &got, &err), FRAME_READY);
    assert_memory_equal(got.blobs[0].data, "blob", 4);
    frame_reader_finish(&reader);
    close(pair[0]);
    close(pair[1]);
}

static void refuses_bytes_that_are_no_frame(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", 18},
        {"CRf1\xff\xff\xff\x7f\0\0\0\0", 12},             // a header of 2 GiB
        {"CRf1\x02\0\0\0\x41\0\0\0", 12},                 // 65 blobs
        {"CRf1\x02\0\0\0\x01\0\0\0\xff\xff\xff\xff", 16}, // a blob of 4 GiB
        {"CRf1\x02\0\0\0\0\0\0\0{", 13},                  // cut off
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int pair[2];
        make_pair(pair);
        assert_int_equal(write(pair[0], cases[i].bytes, cases[i].size), cases[i].size);
        close(pair[0]);
        struct frame_reader reader;
        frame_reader_init(&reader);
        struct frame got;
        struct error err = {0};
        assert_int_equal(frame_read(&reader, pair[1], &got, &err), FRAME_ERROR);
        assert_true(err.message[0]);
        frame_reader_finish(&reader);
        close(pair[1]);
    }
}

static void does_not_encode_what_is_over_a_limit(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer bytes;
    buffer_init(&bytes, SIZE_MAX / 2);
    struct error err = {0};
    struct frame frame = {.header = "", .header_size = FRAME_HEADER_MAX + 1};
    assert_false(frame_encode(&bytes, &frame, &err));
    frame = (struct frame){.header = "", .blob_count = FRAME_BLOBS_MAX + 1};
    assert_false(frame_encode(&bytes, &frame, &err));
    frame = (struct frame){.header = "", .blob_count = 2};
    frame.blobs[0] = frame.blobs[1] = (struct frame_blob){"", FRAME_TOTAL_MAX / 2};
    assert_false(frame_encode(&bytes, &frame, &err));
    assert_int_equal(err.code, ERR_INPUT);
    assert_int_equal(bytes.size, 0);
}

struct reading {
    int fd;
    size_t got;
};

static void *read_all(void *context)
{
    struct reading *reading = context;
    char bytes[4096];
    for (ssize_t n; (n = read(reading->fd, bytes, sizeof(bytes))) > 0;)
        reading->got += (size_t)n;
    return NULL;
}

static void flushes_what_a_full_socket_takes(void **state)
{
    (void)state;
    int pair[2];
    make_pair(pair);
    assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
    AUTO_BUFFER struct buffer pending;
    buffer_init(&pending, FRAME_TOTAL_MAX * 2);
    char *blob = calloc(1, 4 << 20);
    assert_non_null(blob);
    struct frame frame = {.header = "{}", .header_size = 2, .blob_count = 1};
    frame.blobs[0] = (struct frame_blob){blob, 4 << 20};
    struct error err = {0};
    assert_true(frame_encode(&pending, &frame, &err));
    size_t total = pending.size;
    assert_true(frame_flush(&pending, pair[0], &err));
    assert_true(pending.size > 0); // the peer does not read yet

    struct reading reading = {.fd = pair[1]};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, read_all, &reading), 0);
    assert_int_equal(fcntl(pair[0], F_SETFL, 0), 0);
    assert_true(frame_flush(&pending, pair[0], &err));
    assert_int_equal(pending.size, 0);
    close(pair[0]);
    pthread_join(thread, NULL);
    assert_int_equal(reading.got, total);
    close(pair[1]);
    free(blob);
}

static void a_dead_peer_is_an_error_not_a_signal(void **state)
{
    (void)state;
    int pair[2];
    make_pair(pair);
    close(pair[1]);
    struct frame frame = {.header = "{}", .header_size = 2};
    struct error err = {0};
    assert_false(frame_write(pair[0], &frame, &err));
    assert_int_equal(err.code, ERR_IO);
    close(pair[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(carries_header_and_blobs),
        cmocka_unit_test(arrives_byte_by_byte),
        cmocka_unit_test(refuses_bytes_that_are_no_frame),
        cmocka_unit_test(does_not_encode_what_is_over_a_limit),
        cmocka_unit_test(flushes_what_a_full_socket_takes),
        cmocka_unit_test(a_dead_peer_is_an_error_not_a_signal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
