#include "relay/cli/order.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/cleanup.h"
#include "relay/cli/cli.h"
#include "relay/endpoint.h"

struct cli_orders {
    int dir_fd; // what socket_path leads through
    char socket_path[ENDPOINT_UNIX_PATH_SIZE];
    struct cli_client *client;
};

struct cli_orders *cli_orders_open(const char *queue_dir)
{
    struct error err = {0};
    struct cli_orders *orders = calloc(1, sizeof(*orders));
    if (!orders)
        abort();
    orders->dir_fd = open(queue_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (orders->dir_fd < 0) {
        cli_complain("open %s: %s", queue_dir, strerror(errno));
        goto fail;
    }
    endpoint_unix_path(orders->dir_fd, CONTROL_SOCKET, orders->socket_path);
    orders->client = cli_client_create(orders->socket_path, &err);
    if (orders->client)
        return orders;
    cli_complain("%s", err.message);
fail:
    cli_orders_close(orders);
    return NULL;
}

void cli_orders_close(struct cli_orders *orders)
{
    if (!orders)
        return;
    cli_client_destroy(orders->client);
    if (orders->dir_fd >= 0)
        close(orders->dir_fd);
    free(orders);
}

void cli_put_encoded(struct buffer *path, const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    for (; *text; text++)
        buffer_printf(path, strchr(plain, *text) ? "%c" : "%%%02X", (unsigned char)*text);
}

bool cli_ask(struct cli_orders *orders, const struct cli_order *order,
             struct cli_answer *ret_answer, struct error *err)
{
    AUTO_FREE char *url = NULL;
    if (asprintf(&url, "http://localhost%s", order->path) < 0)
        abort();
    AUTO_FREE char *body = order->body ? json_dumps(order->body, JSON_COMPACT) : NULL;
    if (order->body && !body)
        return error_set(err, ERR_INPUT, "%s: what is asked for is no UTF-8, or there is no memory",
                         order->path);
    const struct cli_request request = {.url = url,
                                        .is_get = order->is_get,
                                        .body = body,
                                        .body_size = body ? strlen(body) : 0,
                                        .has_no_limit = order->may_take_long,
                                        .ret_body = order->ret_body};
    return cli_request(orders->client, &request, ret_answer, err);
}

enum cli_given cli_give(struct cli_orders *orders, const struct cli_order *order,
                        struct cli_answer *ret_answer)
{
    struct error err = {0};
    if (cli_ask(orders, order, ret_answer, &err))
        return CLI_GIVEN;
    if (err.code == ERR_TEMPORARY)
        return CLI_NO_RELAY;
    if (err.code == ERR_PERMANENT)
        cli_complain("the relay runs as another user: it takes orders from that one alone");
    else
        cli_complain("%s", err.message);
    return CLI_NOT_GIVEN;
}

int cli_needs_relay(void)
{
    cli_complain("no relay runs on this queue: start it with `courier-relay serve`, or look "
                 "whether the queue's folder is the daemon's");
    return CLI_TRY_AGAIN;
}

int cli_no_orders(const char *queue_dir)
{
    return access(queue_dir, F_OK) < 0 && errno == ENOENT ? CLI_TRY_AGAIN : CLI_FAILED;
}
