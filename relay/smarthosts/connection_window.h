// connection_window.h - pure: how many messages one smarthost is given at once, each over a
// connection of its own.
//
// Opens as the backlog grows: by one for each transaction that ends while something waits, and by
// one for each moment in which something waited and nothing ended. Beyond what one deliverer
// carries only where transactions are slow: a quick smarthost is served as well by few. Closes
// again to what was in use lately. Where the smarthost refuses a further connection while others
// are at work, their number is the limit for a minute.
#ifndef RELAY_SMARTHOSTS_CONNECTION_WINDOW_H
#define RELAY_SMARTHOSTS_CONNECTION_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONNECTION_WINDOW_FIRST 4
#define CONNECTION_WINDOW_QUICK 16 // enough where a transaction takes less than ...
#define CONNECTION_WINDOW_SLOW_MS 25
#define CONNECTION_WINDOW_WAIT_MS 100
#define CONNECTION_WINDOW_CAP_MS (60 * 1000)
#define CONNECTION_WINDOW_DOUBT_MS (5 * 1000)
#define CONNECTION_WINDOW_TELL_MS (60 * 60 * 1000)

// Moments are of one clock that does not jump; INT64_MAX: never.
struct connection_window {
    size_t limit; // as configured
    int64_t idle_ms;
    size_t size;           // as far as it has opened
    int64_t wait_until_ms; // something waits: then it opens by one
    size_t peak;           // most at once ...
    int64_t peak_until_ms; // ... before this, when it closes to that
    size_t cap;            // 0: the smarthost has refused none
    int64_t cap_until_ms;
    size_t learned;         // the cap that an answer has confirmed; 0: none
    int64_t doubt_until_ms; // none has ended well since it refused: then it is down
    size_t told;            // the cap that an operator was told ...
    int64_t told_ms;        // ... then
};

void connection_window_init(struct connection_window *window, size_t limit, int64_t idle_ms);
// The smarthost was down: begins with few again, but no more than it is known to take.
void connection_window_restart(struct connection_window *window);

// How far it may open now.
size_t connection_window_most(const struct connection_window *window);
size_t connection_window_free(const struct connection_window *window, size_t under_way);
// Something waits, and none is free.
void connection_window_wanted(struct connection_window *window, int64_t now_ms);
// One has been handed over; under_way counts it.
void connection_window_started(struct connection_window *window, size_t under_way, int64_t now_ms);
// A transaction has ended with an answer of the smarthost to the message. True: what it
// refused was no more than a further connection, and an operator wants to know that window->cap
// is the limit: at most once a minute, and once an hour where it stays the same.
bool connection_window_ended(struct connection_window *window, int64_t took_ms, int64_t now_ms);
// The smarthost refused a connection while so many others, at least one, were at work. One of these
// is to be answered within doubt_ms, else it is down: CONNECTION_WINDOW_DOUBT_MS where that costs
// little, or the longest that a transaction may take.
void connection_window_refused(struct connection_window *window, size_t at_work, int64_t doubt_ms,
                               int64_t now_ms);

// Lets time pass. False: it has refused, and no other transaction has ended well: it is down.
bool connection_window_tick(struct connection_window *window, int64_t now_ms);
int64_t connection_window_next_ms(const struct connection_window *window); // when to tick

#endif
