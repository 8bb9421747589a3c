#include "relay/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/cleanup.h"

enum { READ_BYTES = 16384 };

bool file_read(const char *path, enum file_kind kind, struct buffer *bytes, mode_t *ret_mode,
               struct error *err)
{
    int flags = O_RDONLY | O_CLOEXEC | (kind == FILE_REGULAR ? O_NONBLOCK : 0);
    AUTO_CLOSE int fd = open(path, flags);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0)
        return error_errno(err, ERR_INPUT, "open");
    if (kind == FILE_REGULAR && !S_ISREG(status.st_mode))
        return error_set(err, ERR_INPUT, "is no regular file");
    if (ret_mode)
        *ret_mode = status.st_mode;
    for (ssize_t count = 1; count != 0;) {
        void *to = buffer_reserve(bytes, READ_BYTES);
        if (!to)
            return error_set(err, ERR_INPUT, "is too large");
        count = read(fd, to, READ_BYTES);
        if (count < 0)
            return error_errno(err, ERR_IO, "read");
        buffer_added(bytes, (size_t)count);
    }
    return true;
}
