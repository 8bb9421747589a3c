// serve.h - the daemon.
#ifndef RELAY_SERVE_H
#define RELAY_SERVE_H

struct config;

// Runs until SIGTERM or SIGINT. Returns the process' exit status: 0 stopped as asked, 1 it could
// not start or go on, 75 another daemon has the queue.
// argv is the program's own, for executing it anew after the queue has failed.
int serve_main(const struct config *config, char **argv);

#endif
