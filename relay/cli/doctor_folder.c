// The queue's folder: whose it is, how quick its disk is, and how much room there is.
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "relay/base/cleanup.h"
#include "relay/base/clock.h"
#include "relay/cli/doctor.h"

enum { SYNCS = 20, BLOCK_BYTES = 4096, SLOW_US = 20000, STALL_US = 1000000, UNREAL_US = 15 };
enum { MB = 1024 * 1024, FULL_MB = 128, NARROW_MB = 1024 };

static const char subject[] = "queue folder";

// A file in dir that nobody else sees. -1: errno says why.
static int open_unnamed(const char *dir)
{
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
        return fd;
    AUTO_FREE char *path = NULL;
    if (asprintf(&path, "%s/doctor.XXXXXX", dir) < 0)
        abort();
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

static int by_size(const void *a, const void *b)
{
    const int64_t *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

// As the queue's log is written: each block behind the last one, and then on the disk. Sorted.
static bool time_syncs(int fd, int64_t took_us[SYNCS])
{
    static const char block[BLOCK_BYTES] = {1};
    for (int i = 0; i < SYNCS; i++) {
        int64_t start_us = clock_boot_us();
        if (pwrite(fd, block, sizeof(block), (off_t)i * BLOCK_BYTES) != BLOCK_BYTES ||
            fdatasync(fd) < 0)
            return false;
        took_us[i] = clock_boot_us() - start_us;
    }
    qsort(took_us, SYNCS, sizeof(*took_us), by_size);
    return true;
}

static void tell_times(struct doctor *doctor, const char *dir, int64_t middle_us, int64_t max_us)
{
    static const struct advice slow = {
        "Kratos waits for such a sync with each mail, and a second one notes that it was sent",
        "put the queue on another disk, or find out who keeps this one busy"};
    static const struct advice unreal = {
        "no disk is that quick: what is synced there may be gone with the power",
        "look what is below: memory, or a virtual disk whose host ignores flushes"};
    static const char format[] = "%s: 4 kB are on the disk within %.2f ms, at worst %.2f ms";
    const struct advice *advice = NULL;
    if (middle_us > SLOW_US || max_us > STALL_US)
        advice = &slow;
    else if (middle_us < UNREAL_US)
        advice = &unreal;
    findings_tell(&doctor->findings, advice ? SEVERITY_WARNING : SEVERITY_FINE, subject, advice,
                  format, dir, (double)middle_us / 1000, (double)max_us / 1000);
}

static void look_at_disk(struct doctor *doctor, const char *dir)
{
    static const struct advice unfit = {
        "no mail can be accepted there: Kratos is answered 503, and gives its mails up in the end",
        "run this as the relay's user; where that is so already, mend owner, mode or disk"};
    int64_t took_us[SYNCS];
    AUTO_CLOSE int fd = open_unnamed(dir);
    if (fd < 0 || !time_syncs(fd, took_us))
        findings_tell(&doctor->findings, SEVERITY_ERROR, subject, &unfit,
                      "%s cannot be written to: %s", dir, strerror(errno));
    else
        tell_times(doctor, dir, took_us[SYNCS / 2], took_us[SYNCS - 1]);
}

static void look_at_room(struct doctor *doctor, const char *dir)
{
    static const struct advice full = {
        "without space no mail is accepted: Kratos is answered 503, and gives its mails up in the "
        "end",
        "make room; a mail that waits takes some 10 kB, and in a burst 64 MB are taken beside"};
    struct statvfs status;
    if (statvfs(dir, &status) < 0)
        return; // it was told that it cannot be written to
    unsigned long long free_mb = (unsigned long long)status.f_bavail * status.f_frsize / MB;
    bool has_no_inodes = status.f_files > 0 && status.f_favail < 16;
    enum severity severity = free_mb < FULL_MB || has_no_inodes ? SEVERITY_ERROR
                             : free_mb < NARROW_MB              ? SEVERITY_WARNING
                                                                : SEVERITY_FINE;
    findings_tell(&doctor->findings, severity, subject, severity == SEVERITY_FINE ? NULL : &full,
                  "%s: %llu MB are free%s", dir, free_mb,
                  has_no_inodes ? ", but no inodes are" : "");
}

// Without it nothing that waits can be opened.
static void look_at_key(struct doctor *doctor, const char *dir)
{
    static const struct advice lost = {
        "what waits in the queue is sealed with it, and cannot be sent without",
        "put it back from your backup, mode 0600 and the relay's; without one the next start makes "
        "a new one, and what waits is parked"};
    AUTO_FREE char *database = NULL, *key = NULL;
    if (asprintf(&database, "%s/queue.db", dir) < 0)
        abort();
    if (asprintf(&key, "%s/queue.key", dir) < 0)
        abort();
    if (!doctor->config->queue_key && access(database, F_OK) == 0 && access(key, R_OK) < 0)
        findings_tell(&doctor->findings, SEVERITY_ERROR, subject, &lost, "%s: %s", key,
                      strerror(errno));
}

static void look_at_owner(struct doctor *doctor, const char *dir, const struct stat *status)
{
    static const struct advice foreign = {
        "a relay of this user cannot open it, and what is said here of the folder is not what the "
        "relay's own user would meet",
        "run this as the relay's user (sudo -u), or give the folder to it"};
    if (status->st_uid != geteuid() && geteuid() != 0)
        findings_tell(&doctor->findings, SEVERITY_WARNING, subject, &foreign,
                      "%s belongs to user %u, and this command runs as %u", dir,
                      (unsigned)status->st_uid, (unsigned)geteuid());
}

void doctor_look_at_folder(struct doctor *doctor)
{
    const char *dir = doctor->config->queue_dir;
    struct stat status;
    char copy[PATH_MAX];
    snprintf(copy, sizeof(copy), "%s", dir);
    if (stat(dir, &status) == 0 && S_ISDIR(status.st_mode)) {
        look_at_owner(doctor, dir, &status);
        look_at_key(doctor, dir);
    } else if (errno == ENOENT) {
        dir = dirname(copy);
        findings_tell(&doctor->findings, SEVERITY_FINE, subject, NULL,
                      "%s is not there yet; the first start makes it in %s",
                      doctor->config->queue_dir, dir);
    } else {
        return; // the settings' faults have it
    }
    look_at_disk(doctor, dir);
    look_at_room(doctor, dir);
}
