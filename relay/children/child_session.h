// child_session.h - a child process of one's own, asked one thing at a time and waited for.
//
// For the configuration file and for commands; the daemon's children are child.h's. Call from a
// thread that lives as long as the session (process.h).
#ifndef RELAY_CHILDREN_CHILD_SESSION_H
#define RELAY_CHILDREN_CHILD_SESSION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "relay/base/error.h"
#include "relay/base/frame.h"
#include "relay/base/process.h"

struct child_session;

// Starts the program at path. name ("composer", static) is what errors call it; heap and pass as in
// process.h. NULL on failure.
struct child_session *child_session_create(const char *name, const char *path,
                                           enum process_heap heap, const int *pass,
                                           size_t pass_count, struct error *err);
void child_session_destroy(struct child_session *session); // kills it; NULL is a no-op

// Sends one frame (blob may be NULL) and waits for the one that answers it. The caller
// json_decref()s *ret_header; *ret_frame is good until the next call. ERR_TEMPORARY: no answer in
// timeout_ms, or in as much again, a few times, where it was the machine that let it wait; ERR_IO:
// it died; ERR_CORRUPT: what it said is no answer. Of no more use then.
bool child_session_ask(struct child_session *session, const json_t *header, const void *blob,
                       size_t blob_size, int timeout_ms, json_t **ret_header,
                       struct frame *ret_frame, struct error *err);

#endif
