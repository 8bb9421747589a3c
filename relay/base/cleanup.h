// cleanup.h - locals that release themselves at the end of their block.
#ifndef RELAY_BASE_CLEANUP_H
#define RELAY_BASE_CLEANUP_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline void cleanup_free(void *pointer)
{
    free(*(void **)pointer);
}

static inline void cleanup_close(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

// For texts that hold a secret. NULL is a no-op.
static inline void wipe_free(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

static inline void cleanup_wipe(char **secret)
{
    wipe_free(*secret);
}

#define AUTO_FREE __attribute__((cleanup(cleanup_free)))
#define AUTO_CLOSE __attribute__((cleanup(cleanup_close)))
#define AUTO_WIPE __attribute__((cleanup(cleanup_wipe)))

#endif
