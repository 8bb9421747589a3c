// serve.h - the daemon.
#ifndef RELAY_SERVE_H
#define RELAY_SERVE_H

struct config;

// Blocks SIGHUP, and no other signal, for this thread: to be called before anything else, since a
// reload that is asked for while the daemon still starts would end it. It is done once all runs.
void serve_hold_reloads(void);

// Runs until SIGTERM or SIGINT. Returns the process' exit status: 0 stopped as asked, 1 it could
// not start or go on, 75 another daemon has the queue.
// argv is the program's own, for executing it anew after the queue has failed.
int serve_main(const struct config *config, char **argv);

#endif
