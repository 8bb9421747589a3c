// order.h - how a command gives the running relay an order: by control.sock in the queue's folder.
#ifndef RELAY_CLI_ORDER_H
#define RELAY_CLI_ORDER_H

#include <jansson.h>

#include "relay/cli/post.h"

struct cli_orders; // keeps its connection from one order to the next

// Complains; NULL on failure.
struct cli_orders *cli_orders_open(const char *queue_dir);
void cli_orders_close(struct cli_orders *orders); // NULL is a no-op

struct cli_order {
    const char *path;   // "/admin/..."
    const json_t *body; // NULL: none
    bool may_take_long; // no limit of time
    json_t **ret_body;  // see struct cli_post
};

enum cli_given {
    CLI_GIVEN,     // answered, in whatever way
    CLI_NO_RELAY,  // none runs on this queue; of this nothing was said yet
    CLI_NOT_GIVEN, // could not be given, of which it has complained
};
enum cli_given cli_give(struct cli_orders *orders, const struct cli_order *order,
                        struct cli_answer *ret_answer);

// What to say of CLI_NO_RELAY where the order needs one. Gives the exit status for it.
int cli_needs_relay(void);

#endif
