// `courier-relay queue rekey`: has the daemon seal what it stores with a new key.
#include <jansson.h>
#include <stdio.h>

#include "relay/cli/cli.h"
#include "relay/cli/order.h"
#include "relay/cli/queue_command.h"

static int print(const struct queue_command *command, const struct cli_answer *answer)
{
    bool done = answer->status == 200;
    const char *text = *answer->message ? answer->message : "the relay refuses";
    if (!command->json && done) {
        puts(text);
    } else if (!command->json) {
        cli_complain("%s", text);
    } else {
        json_auto_t *line =
            json_pack("{s:b, s:s}", "rekeyed", done, done ? "message" : "error", text);
        if (line)
            json_dumpf(line, stdout, JSON_COMPACT);
        putchar('\n');
    }
    return done ? CLI_DONE : CLI_FAILED;
}

int cli_queue_rekey(const struct queue_command *command)
{
    struct cli_orders *orders = cli_orders_open(command->config->queue_dir);
    if (!orders)
        return cli_no_orders(command->config->queue_dir);
    struct cli_answer answer;
    int status = CLI_FAILED;
    switch (cli_give(orders, &(struct cli_order){.path = "/admin/queue/rekey"}, &answer)) {
    case CLI_NO_RELAY:
        status = cli_needs_relay();
        break;
    case CLI_NOT_GIVEN:
        break;
    case CLI_GIVEN:
        status = print(command, &answer);
        break;
    }
    cli_orders_close(orders);
    return status;
}
