// admin.h - the admin API (docs/admin-api.md): to look at the queue and to act on it, while the
// relay runs.
//
// By two doors, which serve the same: the admin listener, for those who show a key, and
// control.sock in the queue's folder, for the folder's owner, who needs none. Logs `audit` for each
// act, and `backed_up` and `backup_failed`.
#ifndef RELAY_ADMIN_ADMIN_H
#define RELAY_ADMIN_ADMIN_H

#include "queue/queue.h"
#include "relay/api_key.h"
#include "relay/base/error.h"
#include "relay/dispatch/dispatcher.h"
#include "relay/endpoint.h"

struct admin;

struct admin_options {
    const char *queue_dir; // whose lock is held
    struct queue *queue;   // borrowed, and so is the dispatcher
    struct dispatcher *dispatcher;
    bool is_off;            // the listener
    struct endpoint listen; // where listen_fd is < 0
    int listen_fd;          // >= 0: its socket, the admin's to close
    struct api_keys *keys;  // of the listener; NULL: nobody is let in. It takes a reference
};

// Listens from now on. A door that cannot be opened is logged as `admin_absent` or
// `control_absent`, and the other one is served all the same. NULL on failure.
struct admin *admin_create(const struct admin_options *options, struct error *err);
// Puts other keys in force. Any thread.
void admin_set_keys(struct admin *admin, struct api_keys *keys);
// Has acts on many messages end early, answers what was asked, closes both doors. In the
// dispatcher's thread; the queue must still be running. NULL is a no-op.
void admin_destroy(struct admin *admin);

#endif
