// reload.h - SIGHUP: the configuration is read again, and what is good of it comes into force.
//
// API keys and admin keys at once. Smarthosts, routes, normalisers, templates, catalogs and what
// mails are made with: once a new composer has loaded them and composed the samples. What is at
// fault is refused and named, and what was in force stays. Logs `reloaded` and `reload_refused`.
// Belongs to the thread of the dispatcher's event loop.
#ifndef RELAY_RELOAD_H
#define RELAY_RELOAD_H

#include <stdbool.h>

#include "relay/base/error.h"

struct admin;
struct config;
struct dispatcher;
struct http_server;
struct reload;

// config is what the relay was started with. All are borrowed; dispatcher must be destroyed
// before the reload is, the others after. NULL: no memory.
struct reload *reload_create(const struct config *config, struct dispatcher *dispatcher,
                             struct http_server *http, struct admin *admin, struct error *err);
void reload_destroy(struct reload *reload); // NULL is a no-op

// Reads everything again, and puts the keys in force. Waits for the configuration file's
// evaluation, not for the new composer; while one is being tried, what was read last is tried
// when that is done.
void reload_begin(struct reload *reload);
// True until what was read has been tried: then it is in force, or refused.
bool reload_is_under_way(const struct reload *reload);

#endif
