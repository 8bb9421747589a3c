// fuzz_envelope.c - what a composer that a stranger has taken over may say, to the core.
//
// Input: the text of one MAIL object (docs/protocol.md); the frame beside it has two blobs.
#include <string.h>

#include "relay/config/config.h"
#include "relay/dispatch/envelope.h"
#include "tests/fuzz/fuzz.h"

#define RECEIVED_MS INT64_C(1763688000000)
#define DEADLINE_MAX_MS (RECEIVED_MS + INT64_C(400) * 24 * 60 * 60000)

static const struct config config = {.deadline_margin_ms = 15000};

static char dir[] = "/tmp/fuzz-envelope-XXXXXX";
static struct queue *queue;

static void clear_away(void)
{
    char command[sizeof(dir) + 16];
    queue_close(queue);
    snprintf(command, sizeof(command), "rm -r %s", dir);
    FUZZ_CHECK(system(command) == 0, "our own folder is removed"); // NOLINT: its name is ours
}

// For its keys alone: digests are keyed.
static struct queue *open_queue(void)
{
    struct error err;
    const struct queue_options options = {.dir = dir};
    FUZZ_CHECK(mkdtemp(dir), "a folder");
    queue = queue_open(&options, &err);
    FUZZ_CHECK(queue, "a queue");
    atexit(clear_away);
    return queue;
}

static bool is_harmless(const char *address)
{
    const char *at = strrchr(address, '@');
    for (const unsigned char *c = (const unsigned char *)address; *c; c++)
        if (*c <= ' ' || *c == 0x7f || strchr("<>()[],;:\\\"", *c))
            return false;
    return at && at > address && at[1];
}

static void check_job(const struct job *job)
{
    FUZZ_CHECK(memchr(job->template, '\0', sizeof(job->template)) &&
                   memchr(job->recipient, '\0', sizeof(job->recipient)),
               "every text ends within its bound");
    FUZZ_CHECK(job->envelope.deadline_ms > RECEIVED_MS - config.deadline_margin_ms &&
                   job->envelope.deadline_ms <= DEADLINE_MAX_MS,
               "a deadline is behind the receipt, and within a year");
    if (!job->park_reason[0]) {
        FUZZ_CHECK(is_harmless(job->recipient) && is_harmless(job->sender),
                   "a mail has two addresses that mean nothing else to SMTP");
        FUZZ_CHECK(job->canonical && job->mime, "a mail has both its parts");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *mail = json_loadb((const char *)data, size, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
    if (!mail)
        return 0;
    if (!queue)
        queue = open_queue();
    struct job *job = job_create("0193c8f0-0000-7000-8000-000000000001", "kratos", "{}", 2);
    FUZZ_CHECK(job, "there is memory");
    job->received_ms = RECEIVED_MS;
    struct frame frame = {.blob_count = 2};
    frame.blobs[0] = (struct frame_blob){"{}", 2};
    frame.blobs[1] = (struct frame_blob){"From: x\r\n", 9};
    struct error err = {0};
    if (envelope_take(job, queue, &config, mail, 0, &frame, &err))
        check_job(job);
    else
        FUZZ_CHECK(err.code == ERR_CORRUPT && !job->canonical && !job->mime,
                   "what is not what it must be changes nothing");
    job_destroy(job);
    json_decref(mail);
    return 0;
}
