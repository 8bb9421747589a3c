// normaliser_stream.h - for tests: a few payloads for each normaliser in turn, and what came of
// them.
#ifndef TESTS_UNIT_JSONNET_NORMALISER_STREAM_H
#define TESTS_UNIT_JSONNET_NORMALISER_STREAM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "jsonnet/normaliser.h"
#include "relay/base/cleanup.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

// Payloads {"n": 0, "secret": "hunter2", "list": [7]}, for each source in turn, and what came of
// them.
struct stream {
    int left, given;
    size_t sources; // 0 is 1
    json_t *document, *last;
    json_t *results; // NULL: only the last is kept
};

static inline json_t *next(void *context, size_t *ret_source)
{
    struct stream *stream = context;
    json_decref(stream->document);
    stream->document = NULL;
    *ret_source = stream->sources ? (size_t)stream->given % stream->sources : 0;
    if (stream->left-- > 0)
        stream->document =
            json_pack("{s:i, s:s, s:[i]}", "n", stream->given++, "secret", "hunter2", "list", 7);
    return stream->document;
}

static inline void emit(void *context, json_t *result)
{
    struct stream *stream = context;
    if (stream->results)
        json_array_append(stream->results, result);
    json_decref(stream->last);
    stream->last = result;
}

static inline void stream_finish(struct stream *stream)
{
    json_decref(stream->document);
    json_decref(stream->last);
    json_decref(stream->results);
}

#define AUTO_STREAM __attribute__((cleanup(stream_finish))) struct stream

static inline bool run_all(const struct normaliser_source *sources, size_t count,
                           struct stream *stream, bool *ret_in_payload, struct error *err)
{
    struct normaliser_io io = {.next = next, .emit = emit, .context = stream};
    stream->sources = count;
    return normaliser_run(sources, count, &io, ret_in_payload, err);
}

static inline bool run(const char *text, struct stream *stream, bool *ret_in_payload,
                       struct error *err)
{
    AUTO_FREE char *copy = strdup(text);
    char file[] = "my.jsonnet";
    assert_non_null(copy);
    return run_all(&(struct normaliser_source){copy, file}, 1, stream, ret_in_payload, err);
}

#define SOURCES(...) ((const struct normaliser_source[]){__VA_ARGS__})
#define SOURCE(text, file)                                                                         \
    {                                                                                              \
        (char[]){text}, (char[])                                                                   \
        {                                                                                          \
            file                                                                                   \
        }                                                                                          \
    }

#endif
