// key_file_text.h - queue.key of a test's folder, as text.
#ifndef TESTS_UNIT_QUEUE_KEY_FILE_TEXT_H
#define TESTS_UNIT_QUEUE_KEY_FILE_TEXT_H

#include <fcntl.h>

#include "queue_fixture.h"

static inline void key_path(const struct fixture *fixture, char ret_path[128])
{
    snprintf(ret_path, 128, "%s/queue.key", fixture->dir);
}

// How many keys stand in queue.key, and its text.
static inline int read_key(const struct fixture *fixture, char ret_text[2048])
{
    char path[128];
    key_path(fixture, path);
    int fd = open(path, O_RDONLY), count = 0;
    ssize_t size = read(fd, ret_text, 2047);
    assert_true(size >= 0);
    close(fd);
    ret_text[size] = '\0';
    for (const char *at = ret_text; *at; at++)
        count += *at == '\n';
    return count;
}

#endif
