// deliverers_stand_in.h - the deliverer of these tests, which is the test program itself.
#ifndef TESTS_UNIT_RELAY_DELIVERERS_STAND_IN_H
#define TESTS_UNIT_RELAY_DELIVERERS_STAND_IN_H

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/cleanup.h"
#include "relay/base/clock.h"
#include "relay/base/frame.h"
#include "relay/base/process.h"
#include "relay/config/config.h"
#include "relay/smarthosts/deliverers.h"

// Started with its parent's number as its only argument. What a message's id says is what it does.

static inline void answer(json_t *header)
{
    AUTO_FREE char *text = json_dumps(header, 0);
    json_decref(header);
    struct frame frame = {.header = text, .header_size = strlen(text)};
    if (!frame_write(PROCESS_SOCKET_FD, &frame, NULL))
        _exit(1);
}

static inline void obey(struct dots *dots, const char *id, int mark)
{
    if (strcmp(id, "die") == 0)
        _exit(3);
    if (strcmp(id, "die at the dot") == 0 || strcmp(id, "die with a verdict") == 0) {
        dots_begin(dots, (size_t)mark);
        if (strcmp(id, "die with a verdict") == 0)
            dots_verdict(dots, (size_t)mark, 250);
        _exit(3);
    }
    if (strcmp(id, "hang") == 0 || strcmp(id, "another") == 0)
        return;
    if (strncmp(id, "denied", strlen("denied")) == 0) {
        answer(json_pack("{s:s, s:s, s:s, s:s, s:i, s:s}", "op", "result", "id", id, "outcome",
                         "permanent", "stage", "rcpt", "reply_code", 554, "enhanced_code",
                         "5.7.1"));
        return;
    }
    if (strcmp(id, "full") == 0) {
        answer(json_pack("{s:s, s:s, s:s, s:s, s:i}", "op", "result", "id", id, "outcome",
                         "session", "stage", "greeting", "reply_code", 421));
        return;
    }
    if (strcmp(id, "at mail") == 0) {
        answer(json_pack("{s:s, s:s, s:s, s:s}", "op", "result", "id", id, "outcome", "session",
                         "stage", "mail"));
        return;
    }
    const char *outcome = strcmp(id, "refuse") == 0 ? "session" : id;
    answer(json_pack("{s:s, s:s, s:s, s:i}", "op", "result", "id", id, "outcome", outcome,
                     "reply_code", 250));
}

static inline int be_deliverer(void)
{
    struct dots *dots = dots_map(PROCESS_SOCKET_FD + 1, NULL);
    struct frame_reader reader;
    frame_reader_init(&reader);
    struct frame frame;
    bool frozen = false;
    while (dots && frame_read(&reader, PROCESS_SOCKET_FD, &frame, NULL) == FRAME_READY) {
        json_auto_t *header = json_loadb(frame.header, frame.header_size, 0, NULL);
        const char *op = json_string_value(json_object_get(header, "op"));
        const char *helo = json_string_value(json_object_get(header, "helo"));
        if (strcmp(op, "init") == 0 && strcmp(helo, "bad") == 0)
            answer(json_pack("{s:s, s:[{s:s, s:s}]}", "op", "faults", "faults", "where", "helo",
                             "what", "no such host"));
        else if (strcmp(op, "init") == 0 && strcmp(helo, "mute") != 0)
            answer(json_pack("{s:s}", "op", "ready"));
        else if (strcmp(op, "ping") == 0 && !frozen)
            answer(json_pack("{s:s}", "op", "ready"));
        else if (strcmp(op, "deliver") == 0 &&
                 strcmp(json_string_value(json_object_get(header, "id")), "freeze") == 0)
            frozen = true;
        else if (strcmp(op, "deliver") == 0)
            obey(dots, json_string_value(json_object_get(header, "id")),
                 (int)json_integer_value(json_object_get(header, "mark")));
    }
    frame_reader_finish(&reader);
    dots_close(dots);
    return 0;
}

#endif
