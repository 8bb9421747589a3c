#include "templates/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/cleanup.h"
#include "relay/base/utf8.h"
#include "templates/fault.h"

static const char JSON_SUFFIX[] = ".json";
static const char BYTE_ORDER_MARK[] = "\xef\xbb\xbf";

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

// Some editors put a mark in front of a text, which would be the first letter of a mail.
static void drop_byte_order_mark(struct source *source)
{
    size_t size = strlen(BYTE_ORDER_MARK);
    if (source->size < size || memcmp(source->text, BYTE_ORDER_MARK, size) != 0)
        return;
    source->size -= size;
    memmove(source->text, source->text + size, source->size + 1);
}

// Mails are sent as UTF-8, and what is behind a NUL would not be sent at all.
static bool check_encoding(const struct source *source, json_t *faults)
{
    size_t line = 1;
    uint32_t point;
    for (size_t at = 0; at < source->size;) {
        size_t size = utf8_decode(source->text + at, source->size - at, &point);
        if (point == 0)
            return fault_at(faults, source->path, line, "has a NUL character");
        if (point == 0xfffd && size == 1)
            return fault_at(faults, source->path, line, "is not UTF-8: save it as UTF-8");
        line += point == '\n';
        at += size;
    }
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
    bool has_text = fd >= 0 && read_all(fd, &source, faults);
    if (has_text)
        drop_byte_order_mark(&source);
    if (!has_text || !check_encoding(&source, faults)) {
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
    free(source->keys);
    *source = (struct source){0};
}

int source_is_meant_as_json(const struct dirent *entry)
{
    const char *name = entry->d_name;
    return name[0] != '.' && name[strlen(name) - 1] != '~' && strcasestr(name, JSON_SUFFIX) != NULL;
}

bool source_is_named_json(const char *name)
{
    size_t size = strlen(name);
    size_t suffix_size = strlen(JSON_SUFFIX);
    return size > suffix_size && strcmp(name + size - suffix_size, JSON_SUFFIX) == 0;
}

// A key of an object, and where in the list those within its value end.
struct source_key {
    const char *name; // in the text, without quotes
    size_t size;
    size_t line;
    size_t depth; // of brackets around it
    size_t end;   // the index behind the last key within its value
};

// Behind the string whose opening quote is at text.
static const char *skip_string(const char *text)
{
    for (text++; *text && *text != '"'; text++) {
        if (*text == '\\' && text[1])
            text++;
    }
    return *text ? text + 1 : text;
}

static bool add_key(struct source *source, size_t *capacity, const struct source_key *key)
{
    if (source->key_count == *capacity) {
        *capacity = *capacity ? *capacity * 2 : 256;
        struct source_key *keys = reallocarray(source->keys, *capacity, sizeof(*keys));
        if (!keys)
            return false;
        source->keys = keys;
    }
    source->keys[source->key_count++] = *key;
    return true;
}

// The text has been parsed before, so its brackets and quotes are known to match. False where
// there is no memory.
static bool list_keys(struct source *source)
{
    struct source_key key = {.line = 1};
    size_t capacity = 0;
    for (const char *at = source->text; *at;) {
        if (*at == '"') {
            const char *end = skip_string(at);
            key.name = at + 1;
            key.size = (size_t)(end - at) - 2;
            if (end[strspn(end, " \t\r\n")] == ':' && !add_key(source, &capacity, &key))
                return false;
            at = end;
            continue;
        }
        if (*at == '\n')
            key.line++;
        else if (*at == '{' || *at == '[')
            key.depth++;
        else if (*at == '}' || *at == ']')
            key.depth--;
        at++;
    }
    struct source_key *keys = source->keys;
    for (size_t i = source->key_count; i-- > 0;) {
        keys[i].end = i + 1;
        while (keys[i].end < source->key_count && keys[keys[i].end].depth > keys[i].depth)
            keys[i].end = keys[keys[i].end].end;
    }
    return true;
}

json_t *source_parse(struct source *source, json_t *faults)
{
    json_error_t error;
    json_t *value = json_loadb(source->text, source->size, JSON_REJECT_DUPLICATES, &error);
    if (!value) {
        fault_at(faults, source->path, error.line > 0 ? (size_t)error.line : 1, "%s", error.text);
        return NULL;
    }
    if (json_is_object(value) && list_keys(source))
        return value;
    fault_at(faults, source->path, 1,
             json_is_object(value) ? "out of memory" : "is not a JSON object");
    json_decref(value);
    return NULL;
}

size_t source_line_of(const struct source *source, const char *const *keys)
{
    size_t line = 1;
    size_t at = 0;
    for (size_t depth = 1; keys[depth - 1] && at < source->key_count;) {
        const struct source_key *key = &source->keys[at];
        const char *wanted = keys[depth - 1];
        if (key->depth == depth && strlen(wanted) == key->size &&
            memcmp(wanted, key->name, key->size) == 0) {
            line = key->line;
            at++;
            depth++;
        } else {
            at = key->end;
        }
    }
    return line;
}
