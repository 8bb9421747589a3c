#include <fcntl.h>

#include "queue_fixture.h"

static void key_path(const struct fixture *fixture, char ret_path[128])
{
    snprintf(ret_path, 128, "%s/queue.key", fixture->dir);
}

static void write_key(const struct fixture *fixture, const char *text)
{
    char path[128];
    key_path(fixture, path);
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void the_key_file_holds_64_digits_and_a_newline(void **state)
{
    struct fixture *fixture = *state;
    char path[128], text[128];
    key_path(fixture, path);
    int fd = open(path, O_RDONLY);
    assert_int_equal(read(fd, text, sizeof(text)), 65);
    close(fd);
    assert_int_equal(text[64], '\n');
    assert_int_equal(strspn(text, "0123456789abcdef"), 64);
}

static void assert_refused(struct fixture *fixture, const char *key_hex)
{
    struct error err = {0};
    fixture_close(fixture);
    assert_false(fixture_try_open(fixture, key_hex, &err));
    assert_int_equal(err.code, ERR_INPUT);
}

static void a_key_file_that_others_may_read_is_refused(void **state)
{
    struct fixture *fixture = *state;
    char path[128];
    key_path(fixture, path);
    for (int i = 0; i < 2; i++) {
        chmod(path, i == 0 ? 0640 : 0604);
        assert_refused(fixture, NULL);
    }
    chmod(path, 0600);
    fixture_open(fixture);
}

static void what_is_no_key_is_refused(void **state)
{
    struct fixture *fixture = *state;
    static const char *const TEXTS[] = {"",
                                        "\n",
                                        "abcd\n",
                                        KEY_HEX "0\n",
                                        KEY_HEX "\n\n",
                                        "zz0102030405060708090a0b0c0d0e0f101112131415161718191a1b"
                                        "1c1d1e1f\n"};
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        write_key(fixture, TEXTS[i]);
        assert_refused(fixture, NULL);
    }
    assert_refused(fixture, "");
    assert_refused(fixture, "abcd");
}

static void another_key_than_the_queues_is_refused(void **state)
{
    struct fixture *fixture = *state;
    assert_refused(fixture, KEY_HEX);
    write_key(fixture, KEY_HEX "\n");
    assert_refused(fixture, NULL);
}

// A new key would let the queue start, and never open what it holds.
static void a_lost_key_is_not_made_anew(void **state)
{
    struct fixture *fixture = *state;
    char path[128];
    key_path(fixture, path);
    unlink(path);
    assert_refused(fixture, NULL);
    assert_int_equal(access(path, F_OK), -1);
}

static void a_given_key_needs_no_file(void **state)
{
    (void)state;
    struct fixture fixture;
    struct error err = {0};
    char id[QUEUE_ID_SIZE], path[128];
    fixture_init(&fixture);
    assert_true(fixture_try_open(&fixture, KEY_HEX, &err));
    assert_int_equal(accept_now(fixture.queue, "{\"s\":1}", id), QUEUE_DONE);
    fixture_close(&fixture);
    key_path(&fixture, path);
    assert_int_equal(access(path, F_OK), -1);
    assert_true(fixture_try_open(&fixture, KEY_HEX, &err));
    assert_body(fixture.reader, id, "{\"s\":1}");
    fixture_close(&fixture);
    // The same key as a file is the same key.
    write_key(&fixture, KEY_HEX); // without the newline, as an editor may leave it
    assert_true(fixture_try_open(&fixture, NULL, &err));
    assert_body(fixture.reader, id, "{\"s\":1}");
    fixture_finish(&fixture);
}

static void an_error_never_shows_the_key(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    fixture_close(fixture);
    assert_false(fixture_try_open(fixture, KEY_HEX "zz", &err));
    assert_null(strstr(err.message, "0f10"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(the_key_file_holds_64_digits_and_a_newline),
        QUEUE_TEST(a_key_file_that_others_may_read_is_refused),
        QUEUE_TEST(what_is_no_key_is_refused),
        QUEUE_TEST(another_key_than_the_queues_is_refused),
        QUEUE_TEST(a_lost_key_is_not_made_anew),
        cmocka_unit_test(a_given_key_needs_no_file),
        QUEUE_TEST(an_error_never_shows_the_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
