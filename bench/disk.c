// disk - the limit nobody gets under: a bare 4 kB append and fdatasync in the given folder.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/ledger.h"
#include "bench/samples.h"
#include "relay/base/cleanup.h"

enum { APPENDS = 2000, RECORD_BYTES = 4096 };

static bool append_and_sync(int fd, struct samples *samples)
{
    char record[RECORD_BYTES];
    memset(record, 'x', sizeof(record));
    for (int i = 0; i < APPENDS; i++) {
        int64_t start_ns = ledger_now_ns();
        if (write(fd, record, sizeof(record)) != (ssize_t)sizeof(record) || fdatasync(fd) < 0)
            return false;
        samples_add(samples, ledger_now_ns() - start_ns);
    }
    return true;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: disk FOLDER\n");
        return 2;
    }
    AUTO_CLOSE int fd = open(argv[1], O_TMPFILE | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    struct samples samples;
    if (fd < 0 || !samples_init(&samples, APPENDS)) {
        perror(argv[1]);
        return 1;
    }
    bool ok = append_and_sync(fd, &samples);
    if (ok)
        printf("{\"sync_p50_us\": %.1f, \"sync_p99_us\": %.1f}\n",
               samples_quantile_us(&samples, 0.50), samples_quantile_us(&samples, 0.99));
    else
        perror(argv[1]);
    samples_finish(&samples);
    return ok ? 0 : 1;
}
