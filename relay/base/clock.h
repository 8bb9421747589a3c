// clock.h - the clocks of the machine, in milliseconds.
//
// Deadlines run on CLOCK_BOOTTIME, which counts while the machine sleeps and never steps.
// The wall clock is for people (Date:, logs) and for a queue that lived through a reboot.
#ifndef RELAY_BASE_CLOCK_H
#define RELAY_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "relay/base/error.h"

#define CLOCK_BOOT_ID_SIZE 37
#define CLOCK_RFC3339_SIZE 32

int64_t clock_boot_ms(void);
int64_t clock_boot_us(void); // for measuring
int64_t clock_wall_ms(void);
// What the wall clock is ahead of CLOCK_BOOTTIME. Both are read at one moment: so the same again
// and again (but where it comes to a millisecond's edge), as long as nobody sets the clock.
int64_t clock_wall_ahead_ms(void);
// Processor time that a process has used. 0: it has ended, or the kernel does not say.
int64_t clock_cpu_ms(pid_t pid);

// The kernel's name for this boot, from /proc/sys/kernel/random/boot_id.
bool clock_boot_id(char ret_id[CLOCK_BOOT_ID_SIZE], struct error *err);

// "2026-11-21T01:22:03.004Z" for milliseconds since the epoch.
void clock_rfc3339(int64_t wall_ms, char ret_text[CLOCK_RFC3339_SIZE]);

#endif
