// queue_clock.h - the queue's own time: wall time at first start, carried on by CLOCK_BOOTTIME.
//
// It never jumps while the machine is up. (boot id, BOOTTIME, queue time, wall clock) are stored
// at least once a minute, and with the first commit after the wall clock was set; only across a
// reboot does the wall clock say how much time has passed, and one that went backwards says none
// (design §6, Deadline). The same holds where CLOCK_BOOTTIME itself is behind what was stored.
#ifndef QUEUE_QUEUE_CLOCK_H
#define QUEUE_QUEUE_CLOCK_H

#include "queue/database.h"
#include "relay/base/clock.h"

// Where the machine's clocks are read; tests bring their own.
struct clock_source {
    int64_t (*boot_ms)(void *context);
    int64_t (*wall_ms)(void *context);
    bool (*boot_id)(void *context, char ret_id[CLOCK_BOOT_ID_SIZE], struct error *err);
    void *context;
};
extern const struct clock_source CLOCK_SOURCE_MACHINE;

// Constant once started, so any thread may ask.
struct queue_clock {
    struct clock_source source;
    char boot_id[CLOCK_BOOT_ID_SIZE];
    int64_t base_ms;      // queue time ...
    int64_t base_boot_ms; // ... at this CLOCK_BOOTTIME
    int64_t away_ms;      // see queue_away_ms()
    bool rebooted;        // no recovery has been committed in this boot
};

// Starts from what the database knows; where that is nothing, from the wall clock.
bool queue_clock_start(struct queue_clock *clock, const struct clock_source *source,
                       struct database *database, struct error *err);

int64_t queue_clock_now(const struct queue_clock *clock);
int64_t queue_clock_wall(const struct queue_clock *clock, int64_t t_ms);
int64_t queue_clock_boot(const struct queue_clock *clock, int64_t t_ms);

// Both write within the caller's transaction and return SQLite's code. The second notes that
// this boot's recovery is done: kept apart, since a start that dies before it must not hide
// the reboot from the next one.
int queue_clock_record(const struct queue_clock *clock, struct database *database);
int queue_clock_record_recovery(const struct queue_clock *clock, struct database *database);

#endif
