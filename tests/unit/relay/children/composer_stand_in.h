// composer_stand_in.h - a composer that does what it is told.
// It is the test program itself, started with its parent's number as its only argument. A
// request's id says what it does with it; a sample's, which have all the same id, their text.
#ifndef TESTS_UNIT_RELAY_COMPOSER_STAND_IN_H
#define TESTS_UNIT_RELAY_COMPOSER_STAND_IN_H

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/base/frame.h"
#include "relay/base/process.h"

// It and the next steal header.
static inline void stand_in_say(json_t *header)
{
    char *text = json_dumps(header, JSON_COMPACT);
    struct frame frame = {.header = text, .header_size = text ? strlen(text) : 0};
    if (!text || !frame_write(PROCESS_SOCKET_FD, &frame, NULL))
        _exit(1);
    free(text);
    json_decref(header);
}

static inline void stand_in_answer(const json_t *request, json_t *header)
{
    json_object_set(header, "id", json_object_get(request, "id"));
    stand_in_say(header);
}

// version, route and fallback are given back, so that a test sees who composed what.
static inline void stand_in_obey(const char *word, const char *blob, const char *version,
                                 const json_t *request)
{
    if (strcmp(word, "die") == 0)
        _exit(3);
    if (strcmp(word, "sleep") == 0)
        pause();
    for (volatile bool hangs = strcmp(word, "hang") == 0; hangs;)
        continue;
    // Until the test opens the other end of the pipe that the blob names.
    if (strcmp(word, "wait") == 0)
        close(open(blob, O_RDONLY | O_CLOEXEC));
    if (strcmp(word, "deafen") == 0)
        shutdown(PROCESS_SOCKET_FD, SHUT_RD);
    if (strcmp(word, "babble") == 0)
        stand_in_say(json_pack("{s:s}", "op", "what"));
    else if (strcmp(word, "fail") == 0)
        stand_in_answer(request, json_pack("{s:s, s:s, s:s}", "op", "failed", "reason",
                                           "normaliser_failed", "detail", "n.jsonnet:1:2: no"));
    else if (strcmp(word, "park") == 0)
        stand_in_answer(request, json_pack("{s:s, s:[{s:s, s:s}]}", "op", "composed", "mails",
                                           "park", "not_canonical", "detail", "data is missing"));
    else if (strcmp(word, "nothing") == 0)
        stand_in_answer(request, json_pack("{s:s, s:[]}", "op", "composed", "mails"));
    else if (strcmp(word, "nameless") == 0)
        stand_in_say(json_pack("{s:s, s:[{}]}", "op", "composed", "mails"));
    else if (strcmp(word, "misnamed") == 0)
        stand_in_say(json_pack("{s:s, s:s, s:[{}]}", "op", "composed", "id", "another", "mails"));
    else
        for (int times = strcmp(word, "twice") == 0 ? 2 : 1; times > 0; times--)
            stand_in_answer(request, json_pack("{s:s, s:[{}], s:s, s:O?, s:O?}", "op", "composed",
                                               "mails", "version", version, "route",
                                               json_object_get(request, "route"), "fallback",
                                               json_object_get(request, "fallback")));
    if (strcmp(word, "deafen") == 0)
        pause();
    // When the test has opened that pipe, the answer is in the socket.
    if (strcmp(word, "tell") == 0)
        close(open(blob, O_WRONLY | O_CLOEXEC));
}

static inline void stand_in_load(const char *version)
{
    if (strcmp(version, "bad") == 0) {
        stand_in_say(json_pack("{s:s, s:[{s:s, s:s}]}", "op", "faults", "faults", "where", "bad:1",
                               "what", "no"));
        _exit(0);
    }
    if (strcmp(version, "dead") == 0)
        _exit(3);
    stand_in_say(json_pack("{s:s, s:[s], s:[s]}", "op", "ready", "confinement", version,
                           "unconfined", "landlock: not here"));
}

static inline int stand_in_main(void)
{
    struct frame_reader reader;
    frame_reader_init(&reader);
    struct frame frame;
    char version[32] = "";
    while (frame_read(&reader, PROCESS_SOCKET_FD, &frame, NULL) == FRAME_READY) {
        json_t *header = json_loadb(frame.header, frame.header_size, 0, NULL);
        const char *id = json_string_value(json_object_get(header, "id"));
        if (strcmp(json_string_value(json_object_get(header, "op")), "init") == 0) {
            const char *told = json_string_value(json_object_get(header, "version"));
            snprintf(version, sizeof(version), "%s", told);
            stand_in_load(version);
        } else {
            char blob[4200];
            snprintf(blob, sizeof(blob), "%.*s", (int)frame.blobs[0].size,
                     (const char *)frame.blobs[0].data);
            stand_in_obey(strncmp(id, "0000", 4) == 0 ? blob : id, blob, version, header);
        }
        json_decref(header);
    }
    frame_reader_finish(&reader);
    return 0;
}

#endif
