// compose - drives one composer over its socketpair: the round trip, and the normaliser within.
//
//   compose COMPOSER INIT_JSON PATTERN MESSAGES
//
// Prints one JSON line with microseconds.
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/ledger.h"
#include "bench/payload.h"
#include "bench/samples.h"
#include "relay/base/cleanup.h"
#include "relay/base/clock.h"
#include "relay/base/frame.h"
#include "relay/base/process.h"

enum { WARM_UP = 200 };

struct composer {
    int fd;
    struct frame_reader reader;
};

// Sends one frame and reads its answer, which must have the op `want`. The caller decrefs.
static json_t *ask(struct composer *composer, const char *header, const void *blob, size_t size,
                   const char *want, struct error *err)
{
    struct frame request = {.header = header, .header_size = strlen(header)}, answer;
    if (blob) {
        request.blobs[0] = (struct frame_blob){.data = blob, .size = size};
        request.blob_count = 1;
    }
    if (!frame_write(composer->fd, &request, err))
        return NULL;
    if (frame_read(&composer->reader, composer->fd, &answer, err) != FRAME_READY) {
        error_set(err, ERR_IO, "the composer gave no answer");
        return NULL;
    }
    json_t *document = json_loadb(answer.header, answer.header_size, 0, NULL);
    const char *op = json_string_value(json_object_get(document, "op"));
    if (!op || strcmp(op, want) != 0) {
        error_set(err, ERR_INPUT, "the composer answered %s", op ? op : "nonsense");
        json_decref(document);
        return NULL;
    }
    return document;
}

static bool drive(struct composer *composer, const char *pattern, size_t messages,
                  struct samples *whole, struct samples *normaliser, struct error *err)
{
    AUTO_BUFFER struct buffer payload;
    buffer_init(&payload, PAYLOAD_BYTES_MAX);
    for (size_t i = 0; i < messages + WARM_UP; i++) {
        char header[200];
        snprintf(header, sizeof(header),
                 "{\"op\":\"compose\",\"id\":\"01939c1e-0000-7000-8000-%012zu\",\"elapsed_ms\":1,"
                 "\"wall_ms\":%lld,\"fallback\":false}",
                 i, (long long)clock_wall_ms());
        buffer_clear(&payload);
        payload_put(&payload, pattern, 0, i);
        int64_t start_ns = ledger_now_ns();
        json_t *answer = ask(composer, header, payload.data, payload.size, "composed", err);
        if (!answer)
            return false;
        if (i >= WARM_UP) {
            samples_add(whole, ledger_now_ns() - start_ns);
            samples_add(normaliser,
                        json_integer_value(json_object_get(answer, "normaliser_us")) * 1000);
        }
        json_decref(answer);
    }
    return true;
}

static bool measure(const char *program, const char *init, const char *pattern_path,
                    size_t messages, struct error *err)
{
    AUTO_FREE char *pattern = payload_read(pattern_path, err);
    if (!pattern)
        return false;
    pid_t pid;
    AUTO_CLOSE int fd = -1;
    if (!process_spawn(program, NULL, NULL, 0, &pid, &fd, err))
        return false;
    struct composer composer = {.fd = fd};
    frame_reader_init(&composer.reader);
    struct samples whole = {0}, normaliser = {0};
    bool ok = fcntl(fd, F_SETFL, 0) == 0 && samples_init(&whole, messages) &&
              samples_init(&normaliser, messages);
    if (!ok)
        error_set(err, ERR_TEMPORARY, "no memory");
    json_t *ready = ok ? ask(&composer, init, NULL, 0, "ready", err) : NULL;
    ok = ready && drive(&composer, pattern, messages, &whole, &normaliser, err);
    json_decref(ready);
    if (ok)
        printf("{\"composer_p50_us\": %.1f, \"composer_p99_us\": %.1f, "
               "\"normaliser_p50_us\": %.1f, \"normaliser_p99_us\": %.1f}\n",
               samples_quantile_us(&whole, 0.50), samples_quantile_us(&whole, 0.99),
               samples_quantile_us(&normaliser, 0.50), samples_quantile_us(&normaliser, 0.99));
    samples_finish(&whole);
    samples_finish(&normaliser);
    frame_reader_finish(&composer.reader);
    shutdown(fd, SHUT_RDWR); // its end of file: the composer ends
    return waitpid(pid, NULL, 0) == pid && ok;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: compose COMPOSER INIT_JSON PATTERN MESSAGES\n");
        return 2;
    }
    struct error err = {0};
    if (measure(argv[1], argv[2], argv[3], (size_t)strtoull(argv[4], NULL, 10), &err))
        return 0;
    fprintf(stderr, "compose: %s\n", err.message);
    return 1;
}
