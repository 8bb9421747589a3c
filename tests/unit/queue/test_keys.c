#include <fcntl.h>

#include "key_file_text.h"

#define OTHER_HEX "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

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

static void assert_fault(struct fixture *fixture, const char *id, enum queue_body_fault fault)
{
    struct queue_message row;
    struct error err = {0};
    bool found = false;
    char *body = NULL;
    size_t size = 0;
    assert_true(queue_load(fixture->reader, id, &row, &found, &body, &size, &err));
    assert_true(found && row.has_body);
    assert_int_equal(row.fault, fault);
    assert_int_equal(body != NULL, fault == BODY_FINE);
    free(body);
}

static void open_with(struct fixture *fixture, const char *key_hex)
{
    struct error err = {0};
    fixture_close(fixture);
    if (!fixture_try_open(fixture, key_hex, &err))
        fail_msg("%s", err.message);
}

// ---- what stands in queue.key -------------------------------------------------------------------

static void the_key_file_holds_64_digits_and_a_newline(void **state)
{
    char text[2048];
    assert_int_equal(read_key(*state, text), 1);
    assert_int_equal(strlen(text), 65);
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
                                        KEY_HEX "\nabcd\n",
                                        KEY_HEX OTHER_HEX "\n",
                                        KEY_HEX ";" OTHER_HEX "\n",
                                        "zz0102030405060708090a0b0c0d0e0f101112131415161718191a1b"
                                        "1c1d1e1f\n"};
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        write_key(fixture, TEXTS[i]);
        assert_refused(fixture, NULL);
    }
    assert_refused(fixture, "");
    assert_refused(fixture, "abcd");
}

static void more_keys_than_there_is_room_for_are_refused(void **state)
{
    struct fixture *fixture = *state;
    char text[65 * (KEY_LIST_MAX + 1) + 1];
    for (int i = 0; i <= KEY_LIST_MAX; i++)
        snprintf(text + (size_t)i * 65, 66, "%02x%.62s\n", i, KEY_HEX);
    write_key(fixture, text);
    assert_refused(fixture, NULL);
    text[65 * KEY_LIST_MAX] = '\0';
    write_key(fixture, text);
    fixture_open(fixture);
    struct error err = {0};
    struct key_list *list = key_list_create(&err);
    assert_true(key_list_parse(list, text, strlen(text), "a list", &err));
    assert_int_equal(list->count, KEY_LIST_MAX);
    assert_false(key_list_make(list, &err));
    key_list_destroy(list);
}

static void an_error_never_shows_the_key(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    fixture_close(fixture);
    assert_false(fixture_try_open(fixture, KEY_HEX "zz", &err));
    assert_null(strstr(err.message, "0f10"));
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

// ---- wrong and lost keys ------------------------------------------------------------------------

// New mail flows; what is there waits for its key, which may come back at any time.
static void a_lost_key_is_missed_and_found_again(void **state)
{
    struct fixture *fixture = *state;
    char path[128], lost[2048], both[4096], id[QUEUE_ID_SIZE], later[QUEUE_ID_SIZE];
    assert_false(queue_keys_lost(fixture->queue));
    assert_int_equal(accept_now(fixture->queue, "{\"s\":1}", id), QUEUE_DONE);
    read_key(fixture, lost);
    key_path(fixture, path);
    unlink(path);
    fixture_reopen(fixture);
    assert_true(queue_keys_lost(fixture->queue));
    assert_fault(fixture, id, BODY_OF_UNKNOWN_KEY);
    assert_int_equal(accept_now(fixture->queue, "{\"s\":2}", later), QUEUE_DONE);
    assert_body(fixture->reader, later, "{\"s\":2}");
    assert_int_equal(accept_now(fixture->queue, "{\"s\":2}", NULL), QUEUE_DUPLICATE);
    // Not again, while the new key is there: it has a digest key of its own now.
    fixture_reopen(fixture);
    assert_false(queue_keys_lost(fixture->queue));
    assert_int_equal(accept_now(fixture->queue, "{\"s\":2}", NULL), QUEUE_DUPLICATE);
    // The operator finds it, and appends it.
    int count = read_key(fixture, both);
    assert_int_equal(count, 1);
    memcpy(both + strlen(both), lost, strlen(lost) + 1);
    write_key(fixture, both);
    fixture_reopen(fixture);
    assert_false(queue_keys_lost(fixture->queue));
    assert_fault(fixture, id, BODY_FINE);
    assert_body(fixture->reader, id, "{\"s\":1}");
    assert_body(fixture->reader, later, "{\"s\":2}");
    assert_int_equal(accept_now(fixture->queue, "{\"s\":2}", NULL), QUEUE_DUPLICATE);
}

static void a_wrong_key_loses_nothing_when_the_right_one_is_back(void **state)
{
    struct fixture *fixture = *state;
    char right[2048], id[QUEUE_ID_SIZE];
    assert_int_equal(accept_now(fixture->queue, "{\"s\":1}", id), QUEUE_DONE);
    read_key(fixture, right);
    for (int i = 0; i < 2; i++) {
        open_with(fixture, KEY_HEX);
        assert_int_equal(queue_keys_lost(fixture->queue), i == 0);
        assert_fault(fixture, id, BODY_OF_UNKNOWN_KEY);
    }
    open_with(fixture, NULL);
    assert_false(queue_keys_lost(fixture->queue));
    assert_body(fixture->reader, id, "{\"s\":1}");
    // Also what was known is known again.
    assert_int_equal(accept_now(fixture->queue, "{\"s\":1}", NULL), QUEUE_DUPLICATE);
}

static void a_damaged_digest_key_stops_nobody(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    assert_int_equal(accept_now(fixture->queue, "{\"s\":1}", id), QUEUE_DONE);
    fixture_close(fixture);
    run_sql(fixture, "UPDATE meta SET value = substr(value, 1, 60) || zeroblob(8) ||"
                     " substr(value, 69) WHERE name = 'digest_key'");
    fixture_open(fixture);
    assert_true(queue_keys_lost(fixture->queue));
    assert_body(fixture->reader, id, "{\"s\":1}");
    fixture_reopen(fixture);
    assert_false(queue_keys_lost(fixture->queue));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(the_key_file_holds_64_digits_and_a_newline),
        QUEUE_TEST(a_key_file_that_others_may_read_is_refused),
        QUEUE_TEST(what_is_no_key_is_refused),
        QUEUE_TEST(more_keys_than_there_is_room_for_are_refused),
        QUEUE_TEST(an_error_never_shows_the_key),
        cmocka_unit_test(a_given_key_needs_no_file),
        QUEUE_TEST(a_lost_key_is_missed_and_found_again),
        QUEUE_TEST(a_wrong_key_loses_nothing_when_the_right_one_is_back),
        QUEUE_TEST(a_damaged_digest_key_stops_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
