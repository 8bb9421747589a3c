// request.h - how commands talk HTTP: with a running relay, by TCP or by its control socket, and
// with Kratos.
#ifndef RELAY_CLI_REQUEST_H
#define RELAY_CLI_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "relay/base/error.h"

struct cli_client; // keeps its connection from one request to the next

// socket_path: a unix socket to go by, whatever host the address names; NULL: by TCP. NULL on
// failure.
struct cli_client *cli_client_create(const char *socket_path, struct error *err);
void cli_client_destroy(struct cli_client *client); // NULL is a no-op

struct cli_request {
    const char *url;  // what is at fault names it: without a password
    bool is_get;      // without a key it follows redirections, three at most; else a POST
    const char *key;  // goes as X-Api-Key; NULL: none
    const void *body; // of a POST
    size_t body_size;
    int limit_ms;      // 0: 30 s
    bool has_no_limit; // of time
    size_t answer_max; // bytes that are read of the answer's body; 0: 64 kB
    json_t *
        *ret_body; // the JSON that was answered, for the caller to json_decref(); NULL: unwanted
};

struct cli_answer {
    long status;
    bool is_cut;       // its body is longer than answer_max: there is no JSON then
    char id[64];       // X-Message-Id; "": none
    bool is_duplicate; // X-Duplicate: id is that of another, and nothing was stored
    char message[513]; // of the JSON in it; "": none
    char next[1024];   // the next page's address, as Link names it; "": there is none
};

// Waits for the answer, of whatever status. False where there is none: ERR_TEMPORARY nobody
// listens there, ERR_PERMANENT we may not connect, ERR_IO everything else.
bool cli_request(struct cli_client *client, const struct cli_request *request,
                 struct cli_answer *ret_answer, struct error *err);

// Whether somebody listens there: connects, and sends nothing. Of request url and limit_ms count.
// False as cli_request().
bool cli_connect(struct cli_client *client, const struct cli_request *request, struct error *err);

#endif
