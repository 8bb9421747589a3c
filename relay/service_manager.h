// service_manager.h - whoever started this process and watches over it (systemd): the sockets that
// it hands over, and what it is told. By variables of the environment, without a library of its
// own; without them nothing is handed over and nothing told.
//
// Sockets stay open here, and the variables where they are, for as long as the process lives: one
// that executes itself anew (restart.h) finds both again, and what connects meanwhile waits in the
// socket. Belongs to the thread of its event loop.
#ifndef RELAY_SERVICE_MANAGER_H
#define RELAY_SERVICE_MANAGER_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "relay/base/error.h"
#include "relay/event_loop.h"

enum service_socket { SERVICE_SOCKET_MAIL, SERVICE_SOCKET_ADMIN, SERVICE_SOCKETS };

enum service_state {
    SERVICE_READY, // started, or done with reloading
    SERVICE_RELOADING,
    SERVICE_STOPPING,
};

struct service_manager {
    int sockets[SERVICE_SOCKETS]; // as handed over; -1: none
    int notify_fd;                // -1: nobody wants to be told
    struct sockaddr_un notify_address;
    socklen_t notify_address_size;
    struct event_source beat; // a timer; its fd is -1 where no signs of life are wanted
    struct event_loop *loop;
};

// Reads LISTEN_FDS (names: `mail`, `admin`; a single one without a name is `mail`), NOTIFY_SOCKET
// and WATCHDOG_USEC, and gives signs of life from the loop from now on: a loop that hangs gives
// none. Variables that are meant for another process (LISTEN_PID, WATCHDOG_PID) are left alone.
// False for what is handed over and no socket that can be used, ERR_INPUT. To be finished in either
// case.
bool service_manager_init(struct service_manager *manager, struct event_loop *loop,
                          struct error *err);
// Closes none of the sockets handed over.
void service_manager_finish(struct service_manager *manager);
// One that service_manager_init() was not called for: nothing is handed over, nobody told.
#define SERVICE_MANAGER_NONE                                                                       \
    ((struct service_manager){.sockets = {-1, -1}, .notify_fd = -1, .beat.fd = -1})

// *ret_fd is a descriptor of that socket, for the caller to close; -1 where none was handed over.
bool service_manager_socket(const struct service_manager *manager, enum service_socket which,
                            int *ret_fd, struct error *err);

// Tells it the state, and status (or NULL) for people. That it cannot be told is logged.
void service_manager_tell(const struct service_manager *manager, enum service_state state,
                          const char *status);

#endif
