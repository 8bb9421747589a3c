#include "relay/base/clock.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "relay/base/cleanup.h"

#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"

static int64_t read_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t read_us(clockid_t clock)
{
    return read_ns(clock) / 1000;
}

int64_t clock_boot_ms(void)
{
    return read_us(CLOCK_BOOTTIME) / 1000;
}

int64_t clock_boot_us(void)
{
    return read_us(CLOCK_BOOTTIME);
}

int64_t clock_wall_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_wall_ahead_ms(void)
{
    enum { TRIES = 5 };
    int64_t ahead_ns = 0, least_ns = INT64_MAX;
    // The narrowest of a few: between the others this thread did not run.
    for (int i = 0; i < TRIES; i++) {
        int64_t before_ns = read_ns(CLOCK_BOOTTIME);
        int64_t wall_ns = read_ns(CLOCK_REALTIME);
        int64_t after_ns = read_ns(CLOCK_BOOTTIME);
        if (after_ns - before_ns >= least_ns)
            continue;
        least_ns = after_ns - before_ns;
        ahead_ns = wall_ns - before_ns - least_ns / 2;
    }
    return ahead_ns / 1000000;
}

int64_t clock_cpu_ms(pid_t pid)
{
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) < 0)
        return 0;
    return (int64_t)used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

bool clock_boot_id(char ret_id[CLOCK_BOOT_ID_SIZE], struct error *err)
{
    AUTO_CLOSE int fd = open(BOOT_ID_FILE, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, ERR_IO, "open %s", BOOT_ID_FILE);
    char text[CLOCK_BOOT_ID_SIZE];
    if (read(fd, text, CLOCK_BOOT_ID_SIZE - 1) != CLOCK_BOOT_ID_SIZE - 1)
        return error_set(err, ERR_IO, "read %s: no boot id in it", BOOT_ID_FILE);
    text[CLOCK_BOOT_ID_SIZE - 1] = '\0';
    memcpy(ret_id, text, sizeof(text));
    return true;
}

void clock_rfc3339(int64_t wall_ms, char ret_text[CLOCK_RFC3339_SIZE])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    char date[24];
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(ret_text, CLOCK_RFC3339_SIZE, "%s.%03dZ", date, (int)(wall_ms % 1000));
}
