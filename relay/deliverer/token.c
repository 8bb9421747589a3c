#include "relay/deliverer/token.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/buffer.h"
#include "relay/base/cleanup.h"

// The base64 of it has to fit a line of AUTH (RFC 4954 §4: 12288 octets).
enum { TOKEN_MAX_BYTES = 8192 };

bool token_has_changed(const struct token_file *file, const char *path)
{
    struct stat now;
    const struct stat *seen = &file->seen;
    return stat(path, &now) < 0 || now.st_dev != seen->st_dev || now.st_ino != seen->st_ino ||
           now.st_size != seen->st_size || now.st_mtim.tv_sec != seen->st_mtim.tv_sec ||
           now.st_mtim.tv_nsec != seen->st_mtim.tv_nsec ||
           now.st_ctim.tv_sec != seen->st_ctim.tv_sec || // which no tool sets back
           now.st_ctim.tv_nsec != seen->st_ctim.tv_nsec;
}

static bool read_whole(int fd, struct buffer *bytes)
{
    for (;;) {
        void *to = buffer_reserve(bytes, TOKEN_MAX_BYTES);
        ssize_t count = to ? read(fd, to, TOKEN_MAX_BYTES) : 0;
        if (count <= 0)
            return to && count == 0;
        buffer_added(bytes, (size_t)count);
    }
}

// A token is one word of visible ASCII (RFC 6750 §2.1); blanks around it are an editor's.
static bool take_word(struct buffer *bytes, char **ret_word)
{
    static const char blanks[] = " \t\r\n";
    if (!bytes->data || strlen(bytes->data) != bytes->size)
        return false;
    const char *start = bytes->data + strspn(bytes->data, blanks);
    size_t size = strcspn(start, blanks);
    if (size == 0 || start[size + strspn(start + size, blanks)] != '\0')
        return false;
    for (size_t i = 0; i < size; i++)
        if (start[i] <= ' ' || start[i] > '~')
            return false;
    *ret_word = strndup(start, size);
    return *ret_word != NULL;
}

char *token_read(struct token_file *file, const char *path, struct error *err)
{
    char *token = NULL;
    struct stat status;
    AUTO_BUFFER struct buffer bytes;
    buffer_init(&bytes, (size_t)3 * TOKEN_MAX_BYTES);
    // Not to be kept waiting by a pipe that nobody writes to.
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &status) < 0) {
        error_errno(err, ERR_TEMPORARY, "token file %s", path);
    } else if (!S_ISREG(status.st_mode)) {
        error_set(err, ERR_INPUT, "token file %s: is no regular file", path);
    } else if (status.st_size > TOKEN_MAX_BYTES) {
        error_set(err, ERR_INPUT, "token file %s: is too large", path);
    } else if (!read_whole(fd, &bytes)) {
        error_set(err, ERR_TEMPORARY, "token file %s: cannot be read", path);
    } else if (!take_word(&bytes, &token)) {
        error_set(err, ERR_INPUT, "token file %s: does not hold one word of ASCII", path);
    } else {
        file->seen = status;
    }
    return token;
}
