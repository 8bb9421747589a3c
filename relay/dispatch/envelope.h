// envelope.h - what the composer said about a mail, checked again before the core believes it.
//
// The composer reads strangers' text, so it may be somebody else by now: one recipient of
// harmless syntax, a known lane, sizes that fit (design §2).
#ifndef RELAY_DISPATCH_ENVELOPE_H
#define RELAY_DISPATCH_ENVELOPE_H

#include <jansson.h>
#include <stdbool.h>

#include "queue/queue.h"
#include "relay/base/frame.h"
#include "relay/dispatch/job.h"

struct config;

// Fills job's composed part (envelope, canonical, mime, park_reason) from one MAIL object of a
// `composed` frame (docs/protocol.md); index is its place in the normaliser's array. The deadline
// is the receive time plus the mail's lifetime less the configured margin. False with ERR_CORRUPT
// where the object is not what it must be: the job is unchanged then.
// By what a mail is known as another's duplicate (design §6, Dedupe, second look): the route, its
// place in the normaliser's array and the composer's digest of its payload.
void envelope_digest_content(const struct queue *queue, const char *route, size_t index,
                             const char *content, uint8_t ret_digest[QUEUE_DIGEST_SIZE]);

bool envelope_take(struct job *job, struct queue *queue, const struct config *config,
                   const json_t *mail, size_t index, const struct frame *frame, struct error *err);

#endif
