#include "templates/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/cleanup.h"
#include "templates/fault.h"

// Reads all of fd. A file that grows while it is read is cut where it ended before.
static bool read_all(int fd, struct source *source, json_t *faults)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return fault_at(faults, source->path, 0, "cannot be read: %s", strerrordesc_np(errno));
    if (!S_ISREG(status.st_mode))
        return fault_at(faults, source->path, 0, "is not a file");
    if (status.st_size > SOURCE_SIZE_MAX)
        return fault_at(faults, source->path, 0, "is larger than %d bytes", SOURCE_SIZE_MAX);

    size_t capacity = (size_t)status.st_size;
    source->text = malloc(capacity + 1);
    if (!source->text)
        return fault_at(faults, source->path, 0, "out of memory");
    while (source->size < capacity) {
        ssize_t got = read(fd, source->text + source->size, capacity - source->size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fault_at(faults, source->path, 0, "cannot be read: %s", strerrordesc_np(errno));
        if (got == 0)
            break;
        source->size += (size_t)got;
    }
    source->text[source->size] = '\0';
    return true;
}

bool source_read(const char *dir, const char *name, struct source *ret_source, json_t *faults)
{
    struct source source = {0};
    if (asprintf(&source.path, "%s/%s", dir, name) < 0)
        return fault_at(faults, name, 0, "out of memory");
    // Not blocking, lest a FIFO of that name holds up the start.
    AUTO_CLOSE int fd = open(source.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        fault_at(faults, source.path, 0, "cannot be opened: %s", strerrordesc_np(errno));
    if (fd < 0 || !read_all(fd, &source, faults)) {
        source_finish(&source);
        return false;
    }
    *ret_source = source;
    return true;
}

void source_finish(struct source *source)
{
    if (!source)
        return;
    free(source->path);
    free(source->text);
    *source = (struct source){0};
}

json_t *source_parse(const struct source *source, json_t *faults)
{
    json_error_t error;
    json_t *value = json_loadb(source->text, source->size, JSON_REJECT_DUPLICATES, &error);
    if (!value) {
        fault_at(faults, source->path, error.line > 0 ? (size_t)error.line : 1, "%s", error.text);
        return NULL;
    }
    if (!json_is_object(value)) {
        fault_at(faults, source->path, 1, "is not a JSON object");
        json_decref(value);
        return NULL;
    }
    return value;
}

// Behind the string whose opening quote is at text.
static const char *skip_string(const char *text)
{
    for (text++; *text && *text != '"'; text++) {
        if (*text == '\\' && text[1])
            text++;
    }
    return *text ? text + 1 : text;
}

// The text has been parsed before, so its brackets and quotes are known to match. Keys written
// with escapes are not found; the line is then that of the key around them.
size_t source_line_of(const struct source *source, const char *const *keys)
{
    size_t line = 1;
    size_t found_line = 1;
    size_t depth = 0;
    size_t found = 0; // how many keys; the next one stands at depth found + 1
    const char *at = source->text;
    while (*at && keys[found]) {
        const char c = *at;
        if (c == '"') {
            const char *end = skip_string(at);
            const char *behind = end + strspn(end, " \t\r\n");
            size_t size = strlen(keys[found]);
            if (depth == found + 1 && *behind == ':' && (size_t)(end - at) == size + 2 &&
                memcmp(at + 1, keys[found], size) == 0) {
                found++;
                found_line = line;
            }
            at = end;
            continue;
        }
        if (c == '\n')
            line++;
        else if (c == '{' || c == '[')
            depth++;
        else if (c == '}' || c == ']')
            depth--;
        if (depth < found && (c == '}' || c == ']'))
            break; // the value of the last key found has ended
        at++;
    }
    return found_line;
}
