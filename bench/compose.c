// compose - drives one composer over its socketpair: its start, the round trip of a payload, and in
// it the normaliser and what makes a mail of the result (checks, words, MIME).
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

enum { WARM_UP = 200, STARTS = 15 };

struct composer {
    pid_t pid;
    int fd;
    struct frame_reader reader;
};

struct figures {
    struct samples ready, whole, normaliser, compose;
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

static bool composer_start(struct composer *composer, const char *program, const char *init,
                           struct error *err)
{
    *composer = (struct composer){.fd = -1};
    if (!process_spawn(program, PROCESS_HEAP_QUICK, NULL, NULL, 0, &composer->pid, &composer->fd,
                       err))
        return false;
    frame_reader_init(&composer->reader);
    if (fcntl(composer->fd, F_SETFL, 0) < 0)
        return error_errno(err, ERR_IO, "fcntl");
    json_t *ready = ask(composer, init, NULL, 0, "ready", err);
    json_decref(ready);
    return ready != NULL;
}

// False where it did not end well.
static bool composer_stop(struct composer *composer)
{
    if (composer->fd < 0)
        return false;
    frame_reader_finish(&composer->reader);
    shutdown(composer->fd, SHUT_RDWR); // its end of file: the composer ends
    close(composer->fd);
    return waitpid(composer->pid, NULL, 0) == composer->pid;
}

// From the start of the program until it could take a payload: what a crash of one costs.
static bool measure_starts(const char *program, const char *init, struct figures *figures,
                           struct error *err)
{
    for (int i = 0; i < STARTS; i++) {
        struct composer composer;
        int64_t start_ns = ledger_now_ns();
        bool ok = composer_start(&composer, program, init, err);
        samples_add(&figures->ready, ledger_now_ns() - start_ns);
        if (!composer_stop(&composer) || !ok)
            return false;
    }
    return true;
}

static void add_spent(struct samples *samples, const json_t *answer, const char *key)
{
    samples_add(samples, json_integer_value(json_object_get(answer, key)) * 1000);
}

static bool drive(struct composer *composer, const char *pattern, size_t messages,
                  struct figures *figures, struct error *err)
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
            samples_add(&figures->whole, ledger_now_ns() - start_ns);
            add_spent(&figures->normaliser, answer, "normaliser_us");
            add_spent(&figures->compose, answer, "compose_us");
        }
        json_decref(answer);
    }
    return true;
}

static void print_figures(struct figures *figures)
{
    const struct {
        const char *name;
        struct samples *samples;
    } rows[] = {{"ready", &figures->ready},
                {"composer", &figures->whole},
                {"normaliser", &figures->normaliser},
                {"compose", &figures->compose}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        printf("%s\"%s_p50_us\": %.1f, \"%s_p99_us\": %.1f", i ? ", " : "{", rows[i].name,
               samples_quantile_us(rows[i].samples, 0.50), rows[i].name,
               samples_quantile_us(rows[i].samples, 0.99));
    puts("}");
}

static bool measure(const char *program, const char *init, const char *pattern_path,
                    size_t messages, struct error *err)
{
    AUTO_FREE char *pattern = payload_read(pattern_path, err);
    if (!pattern)
        return false;
    struct figures figures = {0};
    bool ok = samples_init(&figures.ready, STARTS) && samples_init(&figures.whole, messages) &&
              samples_init(&figures.normaliser, messages) &&
              samples_init(&figures.compose, messages);
    if (!ok)
        error_set(err, ERR_TEMPORARY, "no memory");
    struct composer composer = {.fd = -1};
    ok = ok && measure_starts(program, init, &figures, err) &&
         composer_start(&composer, program, init, err) &&
         drive(&composer, pattern, messages, &figures, err);
    if (ok)
        print_figures(&figures);
    ok = composer_stop(&composer) && ok;
    samples_finish(&figures.ready);
    samples_finish(&figures.whole);
    samples_finish(&figures.normaliser);
    samples_finish(&figures.compose);
    return ok;
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
