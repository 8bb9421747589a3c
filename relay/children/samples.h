// samples.h - payloads that a normaliser is tried on before it is trusted: a folder's *.json.
//
// For `check`, which prints what is made of them, and for a reload, which wants to know that
// nothing is wrong. Faults are JSON objects {where, what}, as a composer's own.
#ifndef RELAY_CHILDREN_SAMPLES_H
#define RELAY_CHILDREN_SAMPLES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "relay/base/buffer.h"
#include "relay/base/error.h"

struct sample_set {
    const char *route; // whose normaliser is tried
    const char *dir;
};

struct sample {
    char *route, *path;
    const char *name;  // the last part of path
    bool made_nothing; // judged, and neither a mail nor a fault came of it
};

struct samples {
    struct sample *items;
    size_t count;
};

// Adds those of a set, by name. ERR_INPUT: it holds none; ERR_IO: it cannot be read.
bool samples_add(struct samples *samples, const struct sample_set *set, struct error *err);
void samples_finish(struct samples *samples);

// Appends its bytes to payload, which has a limit of its own.
bool sample_read(const struct sample *sample, struct buffer *payload, struct error *err);

// The header of `compose` (docs/protocol.md). The caller json_decref()s it. NULL: no memory.
json_t *sample_request(const struct sample *sample);

// Appends to faults what is wrong with the composer's answer, and gives how many that are: 0
// where it is one or more mails, or nothing to send, which it notes. A message for another channel
// than mail is understood, and so no fault; nor is a link that the operator's brand does not allow.
// init: what the composer was started with.
size_t sample_judge(struct sample *sample, const json_t *init, const json_t *answer,
                    json_t *faults);
// Appends each route of whose samples, one after the other, every one was judged and made nothing
// of: that is a function that looks in the wrong places.
void samples_judge_all(const struct samples *samples, const json_t *init, json_t *faults);
// Appends that there was no answer, with why: a time-out, a composer's death.
void sample_unanswered(const struct sample *sample, const json_t *init, const char *why,
                       json_t *faults);

void faults_add(json_t *faults, const char *where, const char *what);

#endif
