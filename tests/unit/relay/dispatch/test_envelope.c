// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/config/config.h"
#include "relay/dispatch/envelope.h"

// A real queue in a folder of its own: envelope_take() needs its keys for the digests.
struct fixture {
    char dir[64];
    struct queue *queue;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/envelope-XXXXXX");
    struct error err = {0};
    const struct queue_options options = {.dir = fixture->dir};
    if (!mkdtemp(fixture->dir) || !(fixture->queue = queue_open(&options, &err)))
        return -1;
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    queue_close(fixture->queue);
    char command[128];
    snprintf(command, sizeof(command), "rm -r %s", fixture->dir);
    int rc = system(command); // NOLINT: our own folder
    free(fixture);
    return rc;
}

static const struct config config = {.deadline_margin_ms = 15000};

static json_t *good_mail(void)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:i, s:s, s:s, s:i, s:i}", "channel",
                     "email", "template", "login_code_valid", "lane", "code", "locale", "hu",
                     "locale_source", "request_url", "recipient", "a@example.com", "sender",
                     "no-reply@acme.example", "coded", 1, "lifetime_ms", 900000, "supersede",
                     "browser:ab", "content_digest", "0123", "canonical", 0, "mime", 1);
}

static struct frame good_frame(void)
{
    struct frame frame = {.blob_count = 2};
    frame.blobs[0] = (struct frame_blob){"{}", 2};
    frame.blobs[1] = (struct frame_blob){"From: x\r\n", 9};
    return frame;
}

static void takes_what_the_composer_says(void **state)
{
    struct fixture *fixture = *state;
    struct job *job = job_create("id", "kratos", "{}", 2);
    job->received_ms = 1000000;
    json_auto_t *mail = good_mail();
    struct frame frame = good_frame();
    struct error err = {0};
    assert_true(envelope_take(job, fixture->queue, &config, mail, 0, &frame, &err));
    assert_string_equal(job->recipient, "a@example.com");
    assert_string_equal(job->envelope.template, "login_code_valid");
    assert_int_equal(job->envelope.lane, LANE_CODE);
    assert_true(job->envelope.coded);
    assert_true(job->envelope.supersede_by_browser);
    assert_int_equal(job->envelope.deadline_ms, 1000000 + 900000 - 15000);
    assert_null(job->envelope.identity_id);
    assert_string_equal(job->envelope.locale_source, "request_url");
    assert_string_equal(job->canonical, "{}");
    assert_int_equal(job->delivery.message_size, 9);
    assert_null(job->mask);
    frame.blobs[frame.blob_count++] = (struct frame_blob){"750046\n", 7};
    json_object_set_new(mail, "mask", json_integer(2));
    assert_true(envelope_take(job, fixture->queue, &config, mail, 0, &frame, &err));
    assert_string_equal(job->mask, "750046\n");
    assert_int_equal(job->delivery.mask_size, 7);

    // The digest is keyed and depends on route and index.
    uint8_t first[QUEUE_DIGEST_SIZE];
    memcpy(first, job->content_digest, sizeof(first));
    assert_true(envelope_take(job, fixture->queue, &config, mail, 1, &frame, &err));
    assert_memory_not_equal(first, job->content_digest, sizeof(first));
    job_destroy(job);
    job = job_create("id", "another", "{}", 2);
    assert_true(envelope_take(job, fixture->queue, &config, mail, 0, &frame, &err));
    assert_memory_not_equal(first, job->content_digest, sizeof(first));
    job_destroy(job);
}

// The composer reads strangers' text; what comes from it is checked as if it were one.
static void refuses_what_no_composer_of_ours_says(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *key, *json;
    } cases[] = {
        {"lane", "\"express\""},
        {"lane", "null"},
        {"lifetime_ms", "0"},
        {"lifetime_ms", "-5"},
        {"lifetime_ms", "31622400001"}, // a millisecond over 366 days
        {"lifetime_ms", "9223372036854775807"},
        {"mime", "2"},
        {"mime", "-1"},
        {"mime", "\"1\""},
        {"mime", "null"},
        {"canonical", "null"},
        {"mask", "2"},
        {"mask", "\"750046\""},
        {"recipient", "null"},
        {"recipient", "\"a@b>\\r\\nRCPT TO:<x@y\""},
        {"recipient", "\"a@b,c@d\""},
        {"recipient", "\"a b@c\""},
        {"recipient", "\"@example.com\""},
        {"recipient", "\"nobody\""},
        {"sender", "\"no-reply@acme.example\\n\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct job *job = job_create("id", "kratos", "{}", 2);
        json_auto_t *mail = good_mail();
        json_object_set_new(mail, cases[i].key, json_loads(cases[i].json, JSON_DECODE_ANY, NULL));
        struct frame frame = good_frame();
        struct error err = {0};
        if (envelope_take(job, fixture->queue, &config, mail, 0, &frame, &err))
            fail_msg("%s: %s was believed", cases[i].key, cases[i].json);
        assert_int_equal(err.code, ERR_CORRUPT);
        job_destroy(job);
    }
    // A text longer than its column.
    struct job *job = job_create("id", "kratos", "{}", 2);
    char text[400];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    json_auto_t *mail = good_mail();
    json_object_set_new(mail, "template", json_string(text));
    struct frame frame = good_frame();
    assert_false(envelope_take(job, fixture->queue, &config, mail, 0, &frame, NULL));
    job_destroy(job);
}

static void what_is_parked_needs_no_mail(void **state)
{
    struct fixture *fixture = *state;
    struct job *job = job_create("id", "kratos", "{}", 2);
    json_auto_t *mail = json_pack("{s:s, s:s, s:i, s:s}", "channel", "sms", "lane", "code",
                                  "lifetime_ms", 3600000, "park", "unsupported_channel");
    struct frame frame = {0};
    struct error err = {0};
    assert_true(envelope_take(job, fixture->queue, &config, mail, 0, &frame, &err));
    assert_string_equal(job->park_reason, "unsupported_channel");
    assert_null(job->envelope.recipient);
    assert_null(job->mime);
    job_destroy(job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(takes_what_the_composer_says, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_what_no_composer_of_ours_says, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_parked_needs_no_mail, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
