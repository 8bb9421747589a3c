// order.h - how a command gives the running relay an order: by control.sock in the queue's folder.
#ifndef RELAY_CLI_ORDER_H
#define RELAY_CLI_ORDER_H

#include <jansson.h>

#include "relay/base/buffer.h"
#include "relay/cli/request.h"

struct cli_orders; // keeps its connection from one order to the next

// Complains; NULL on failure.
struct cli_orders *cli_orders_open(const char *queue_dir);
void cli_orders_close(struct cli_orders *orders); // NULL is a no-op

// A name or a value in a path, percent-encoded where it has to be.
void cli_put_encoded(struct buffer *path, const char *text);

struct cli_order {
    const char *path;   // "/admin/..."
    bool is_get;        // it only looks
    const json_t *body; // NULL: none
    bool may_take_long; // no limit of time
    json_t **ret_body;  // see struct cli_request
};

// Gives it without a word of its own, whatever comes: as cli_request(), and ERR_INPUT where the
// body cannot be sent.
bool cli_ask(struct cli_orders *orders, const struct cli_order *order,
             struct cli_answer *ret_answer, struct error *err);

enum cli_given {
    CLI_GIVEN,     // answered, in whatever way
    CLI_NO_RELAY,  // none runs on this queue; of this nothing was said yet
    CLI_NOT_GIVEN, // could not be given, of which it has complained
};
// The same, and complains.
enum cli_given cli_give(struct cli_orders *orders, const struct cli_order *order,
                        struct cli_answer *ret_answer);

// What to say of CLI_NO_RELAY where the order needs one. Gives the exit status for it.
int cli_needs_relay(void);

// The exit status where cli_orders_open() gave nothing: without a folder no relay runs in it.
int cli_no_orders(const char *queue_dir);

#endif
