#include "relay/base/dots.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "relay/base/cleanup.h"
#include "relay/base/clock.h"

// Changing this layout: change the magic; a file with another one is started afresh.
struct file_mark {
    _Atomic uint32_t state; // enum dot_state
    int32_t reply_code;
    char id[DOTS_ID_SIZE + 3];
};

struct file_layout {
    char magic[8];
    char boot_id[CLOCK_BOOT_ID_SIZE + 3];
    struct file_mark marks[DOTS_COUNT];
};

static const char file_magic[8] = "dots-01";

struct dots {
    struct file_layout *file;
    int fd;
};

enum { POLL_LOCK_MS = 5 };

static struct dots *map_file(int fd, struct error *err)
{
    struct dots *dots = malloc(sizeof(*dots));
    if (!dots) {
        error_set(err, ERR_TEMPORARY, "dots: no memory");
        return NULL;
    }
    void *at = mmap(NULL, sizeof(struct file_layout), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) {
        error_errno(err, ERR_IO, "dots: map");
        free(dots);
        return NULL;
    }
    *dots = (struct dots){.file = at, .fd = fd};
    return dots;
}

// flock() has no time limit of its own; a deliverer from before ends within milliseconds of
// its core, so this loop is short. It runs once, before the core serves anybody.
static bool lock_exclusively(int fd, int wait_ms, struct error *err)
{
    int64_t give_up = clock_boot_ms() + wait_ms;
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return error_errno(err, ERR_IO, "dots: lock");
        if (clock_boot_ms() >= give_up)
            return error_set(err, ERR_TEMPORARY, "dots: a deliverer from before is still alive");
        nanosleep(&(struct timespec){.tv_nsec = POLL_LOCK_MS * 1000000L}, NULL);
    }
    return true;
}

static bool is_full(int failure)
{
    return failure == ENOSPC || failure == EDQUOT;
}

// A mapped page that has no block behind it ends in SIGBUS on a full disk: the blocks are
// allocated here, where the failure can be told.
static bool prepare_file(int fd, struct error *err)
{
    int rc = posix_fallocate(fd, 0, (off_t)sizeof(struct file_layout));
    if (rc != 0) {
        errno = rc;
        return error_errno(err, is_full(rc) ? ERR_FULL : ERR_IO, "dots: allocate");
    }
    return true;
}

struct dots *dots_open(const char *dir, int wait_ms, struct error *err)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/dots", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        error_errno(err, is_full(errno) ? ERR_FULL : ERR_IO, "open %s", path);
        return NULL;
    }
    char boot_id[CLOCK_BOOT_ID_SIZE];
    struct dots *dots = NULL;
    if (lock_exclusively(fd, wait_ms, err) && prepare_file(fd, err) && clock_boot_id(boot_id, err))
        dots = map_file(fd, err);
    if (!dots) {
        close(fd);
        return NULL;
    }
    struct file_layout *file = dots->file;
    if (memcmp(file->magic, file_magic, sizeof(file_magic)) != 0 ||
        memcmp(file->boot_id, boot_id, sizeof(boot_id)) != 0) {
        memset(file, 0, sizeof(*file));
        memcpy(file->boot_id, boot_id, sizeof(boot_id));
        memcpy(file->magic, file_magic, sizeof(file_magic));
    }
    flock(fd, LOCK_UN);
    return dots;
}

struct dots *dots_create_unnamed(struct error *err)
{
    int fd = memfd_create("dots", MFD_CLOEXEC);
    if (fd < 0) {
        error_errno(err, ERR_IO, "dots: make a file in memory");
        return NULL;
    }
    struct dots *dots = prepare_file(fd, err) ? map_file(fd, err) : NULL;
    if (!dots)
        close(fd);
    return dots;
}

// By the descriptor and not by the path, where another file may be now, or none.
int dots_share(const struct dots *dots, struct error *err)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", dots->fd);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        error_errno(err, ERR_IO, "dots: open once more");
        return -1;
    }
    if (flock(fd, LOCK_SH | LOCK_NB) < 0) {
        error_errno(err, ERR_IO, "dots: lock");
        close(fd);
        return -1;
    }
    return fd;
}

struct dots *dots_map(int fd, struct error *err)
{
    struct stat status;
    if (fstat(fd, &status) < 0 || status.st_size < (off_t)sizeof(struct file_layout)) {
        error_set(err, ERR_INPUT, "dots: descriptor %d is not the marks' file", fd);
        return NULL;
    }
    return map_file(fd, err);
}

bool dots_sync(struct dots *dots)
{
    struct stat status;
    return msync(dots->file, sizeof(struct file_layout), MS_SYNC) == 0 &&
           fstat(dots->fd, &status) == 0 && status.st_nlink > 0;
}

void dots_close(struct dots *dots)
{
    if (!dots)
        return;
    munmap(dots->file, sizeof(struct file_layout));
    close(dots->fd);
    free(dots);
}

void dots_get(const struct dots *dots, size_t index, struct dot *ret_dot)
{
    struct file_mark *mark = &dots->file->marks[index];
    ret_dot->state = (enum dot_state)atomic_load_explicit(&mark->state, memory_order_acquire);
    ret_dot->reply_code = mark->reply_code;
    memcpy(ret_dot->id, mark->id, DOTS_ID_SIZE);
    ret_dot->id[DOTS_ID_SIZE - 1] = '\0';
}

int dots_find(const struct dots *dots, const char *id)
{
    for (size_t i = 0; i < DOTS_COUNT; i++) {
        struct dot dot;
        dots_get(dots, i, &dot);
        if (dot.state != DOT_FREE && strcmp(dot.id, id) == 0)
            return (int)i;
    }
    return -1;
}

int dots_assign(struct dots *dots, const char *id)
{
    for (size_t i = 0; i < DOTS_COUNT; i++) {
        struct file_mark *mark = &dots->file->marks[i];
        if (atomic_load_explicit(&mark->state, memory_order_relaxed) != DOT_FREE)
            continue;
        snprintf(mark->id, sizeof(mark->id), "%s", id);
        mark->reply_code = 0;
        atomic_store_explicit(&mark->state, DOT_ASSIGNED, memory_order_release);
        return (int)i;
    }
    return -1;
}

static void set_state(struct dots *dots, size_t index, enum dot_state state)
{
    atomic_store_explicit(&dots->file->marks[index].state, (uint32_t)state, memory_order_release);
}

void dots_clear(struct dots *dots, size_t index)
{
    set_state(dots, index, DOT_FREE);
}

void dots_take_back(struct dots *dots, size_t index)
{
    set_state(dots, index, DOT_ASSIGNED);
}

void dots_begin(struct dots *dots, size_t index)
{
    set_state(dots, index, DOT_BEGUN);
}

void dots_verdict(struct dots *dots, size_t index, int reply_code)
{
    dots->file->marks[index].reply_code = reply_code;
    set_state(dots, index, DOT_VERDICT);
}
