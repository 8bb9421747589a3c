// endpoint.h - where we listen: "host:port" as people write it ("0.0.0.0:8080", "[::]:8080",
// ":8080"), or a unix socket in a folder.
#ifndef RELAY_ENDPOINT_H
#define RELAY_ENDPOINT_H

#include <stdint.h>
#include <sys/socket.h>

#include "relay/base/error.h"

#define ENDPOINT_HOST_SIZE 256
#define ENDPOINT_TEXT_SIZE (ENDPOINT_HOST_SIZE + 8)

struct endpoint {
    char host[ENDPOINT_HOST_SIZE]; // without brackets; empty: any address
    uint16_t port;                 // 0: whichever is free
};

// Takes the text apart; looks nothing up. ERR_INPUT.
bool endpoint_parse(const char *text, struct endpoint *ret_endpoint, struct error *err);

// Opens a listening TCP socket there (SO_REUSEADDR, close-on-exec, non-blocking). The caller
// closes it. -1 on failure: ERR_INPUT the host is not known, ERR_IO the address cannot be had.
int endpoint_listen(const struct endpoint *endpoint, int backlog, struct error *err);

// The path by which the socket of that name in an open folder is reached. A socket's path has room
// for 108 bytes, which a folder's own may be longer than; this one is good as long as dir_fd.
#define ENDPOINT_UNIX_PATH_SIZE 64
void endpoint_unix_path(int dir_fd, const char *name, char ret_path[ENDPOINT_UNIX_PATH_SIZE]);

#define CONTROL_SOCKET "control.sock" // the admin API's, in the queue's folder

// Opens a listening unix socket of that name there, which its owner alone may connect to. One
// that is there already is removed: whoever calls this knows that nobody serves it. The caller
// closes it. -1 on failure, ERR_IO.
int endpoint_listen_unix(int dir_fd, const char *name, int backlog, struct error *err);

// Where a socket is really bound: "127.0.0.1:34571", "[::1]:8080".
bool endpoint_bound(int fd, char ret_text[ENDPOINT_TEXT_SIZE], struct error *err);

#endif
