// post.h - how commands talk to a running relay: POST, by TCP or by its control socket.
#ifndef RELAY_CLI_POST_H
#define RELAY_CLI_POST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "relay/base/error.h"

struct cli_poster; // keeps its connection from one POST to the next

// socket_path: a unix socket to go by, whatever host the address names; NULL: by TCP. NULL on
// failure.
struct cli_poster *cli_poster_create(const char *socket_path, struct error *err);
void cli_poster_destroy(struct cli_poster *poster); // NULL is a no-op

struct cli_post {
    const char *url;
    const char *key; // goes as X-Api-Key; NULL: none
    const void *body;
    size_t body_size;
    bool has_no_limit; // of time; else 30 s
    json_t *
        *ret_body; // the JSON that was answered, for the caller to json_decref(); NULL: unwanted
};

struct cli_answer {
    long status;
    char id[64];       // X-Message-Id; "": none
    char message[513]; // of the JSON in it; "": none
};

// Waits for the answer, of whatever status. False where there is none: ERR_TEMPORARY nobody
// listens there, ERR_PERMANENT we may not connect, ERR_IO everything else.
bool cli_post(struct cli_poster *poster, const struct cli_post *post, struct cli_answer *ret_answer,
              struct error *err);

#endif
