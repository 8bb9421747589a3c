#include "queue/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/cleanup.h"

#define KEY_SIZE crypto_kdf_KEYBYTES
#define HEX_SIZE (2 * KEY_SIZE)
#define LINE_SIZE (HEX_SIZE + 1)
#define SEPARATORS ", \t\r\n"
// Room for blank lines that an editor may leave.
#define TEXT_MAX (KEY_LIST_MAX * LINE_SIZE + 256)

static void text_finish(char **text)
{
    sodium_free(*text); // wipes
}
#define AUTO_TEXT __attribute__((cleanup(text_finish)))

struct key_list *key_list_create(struct error *err)
{
    struct key_list *list = sodium_malloc(sizeof(*list));
    if (!list)
        error_set(err, ERR_TEMPORARY, "no memory for the queue's keys");
    else
        list->count = 0;
    return list;
}

void key_list_destroy(struct key_list *list)
{
    sodium_free(list);
}

static bool holds(const struct key_list *list, const uint8_t key[KEY_SIZE])
{
    for (size_t i = 0; i < list->count; i++)
        if (sodium_memcmp(list->keys[i], key, KEY_SIZE) == 0)
            return true;
    return false;
}

// The digits are made a key in the list's next place, which counts only where it is a new one.
static bool take_key(struct key_list *list, const char *hex, size_t size, const char *where,
                     struct error *err)
{
    if (list->count == KEY_LIST_MAX)
        return error_set(err, ERR_INPUT, "%s holds more than %d keys", where, KEY_LIST_MAX);
    uint8_t *key = list->keys[list->count];
    size_t used = 0;
    if (size != HEX_SIZE || sodium_hex2bin(key, KEY_SIZE, hex, size, NULL, &used, NULL) != 0 ||
        used != KEY_SIZE)
        return error_set(err, ERR_INPUT, "%s does not hold keys of %zu hexadecimal digits", where,
                         (size_t)HEX_SIZE);
    if (!holds(list, key))
        list->count++;
    return true;
}

static bool is_separator(char c)
{
    return c != '\0' && strchr(SEPARATORS, c);
}

bool key_list_parse(struct key_list *list, const char *text, size_t size, const char *where,
                    struct error *err)
{
    list->count = 0;
    for (size_t at = 0; at < size;) {
        size_t end = at;
        while (end < size && !is_separator(text[end]))
            end++;
        if (end > at && !take_key(list, text + at, end - at, where, err))
            return false;
        at = end + 1;
    }
    return list->count > 0 || error_set(err, ERR_INPUT, "%s holds no key", where);
}

bool key_list_make(struct key_list *list, struct error *err)
{
    if (list->count == KEY_LIST_MAX)
        return error_set(err, ERR_INPUT, "%s holds %d keys already", KEY_FILE, KEY_LIST_MAX);
    memmove(list->keys[1], list->keys[0], list->count * KEY_SIZE);
    randombytes_buf(list->keys[0], KEY_SIZE);
    list->count++;
    return true;
}

void key_list_remove(struct key_list *list, size_t index)
{
    list->count--;
    memmove(list->keys[index], list->keys[index + 1], (list->count - index) * KEY_SIZE);
}

// ---- the file -----------------------------------------------------------------------------------

static bool read_text(int fd, const char *path, char *text, size_t *ret_size, struct error *err)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return error_errno(err, ERR_IO, "read %s", path);
    if (!S_ISREG(status.st_mode) || (status.st_mode & 077) != 0)
        return error_set(err, ERR_INPUT, "%s may be read by others: chmod 600 it", path);
    size_t size = 0;
    ssize_t got = 1;
    while (size < TEXT_MAX && (got = read(fd, text + size, TEXT_MAX - size)) > 0)
        size += (size_t)got;
    if (got < 0)
        return error_errno(err, ERR_IO, "read %s", path);
    if (size == TEXT_MAX)
        return error_set(err, ERR_INPUT, "%s is too large", path);
    *ret_size = size;
    return true;
}

bool key_file_read(const char *dir, struct key_list *list, bool *ret_found, struct error *err)
{
    AUTO_FREE char *path = NULL;
    if (asprintf(&path, "%s/%s", dir, KEY_FILE) < 0)
        abort();
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    *ret_found = fd >= 0 || errno != ENOENT;
    if (fd < 0)
        return !*ret_found || error_errno(err, ERR_IO, "open %s", path);
    AUTO_TEXT char *text = sodium_malloc(TEXT_MAX);
    if (!text)
        return error_set(err, ERR_TEMPORARY, "no memory for the queue's keys");
    size_t size = 0;
    return read_text(fd, path, text, &size, err) && key_list_parse(list, text, size, path, err);
}

// A short write is a full disk, whose errno only the next write would tell.
static bool write_keys(int fd, const struct key_list *list, const char *path, struct error *err)
{
    AUTO_TEXT char *text = sodium_malloc(TEXT_MAX);
    if (!text)
        return error_set(err, ERR_TEMPORARY, "no memory for the queue's keys");
    size_t size = 0;
    for (size_t i = 0; i < list->count; i++) {
        sodium_bin2hex(text + size, LINE_SIZE, list->keys[i], KEY_SIZE);
        size += HEX_SIZE;
        text[size++] = '\n';
    }
    errno = ENOSPC;
    if (write(fd, text, size) != (ssize_t)size || fsync(fd) < 0)
        return error_errno(err, ERR_IO, "write %s", path);
    return true;
}

void key_file_tidy(const char *dir)
{
    AUTO_FREE char *path = NULL;
    if (asprintf(&path, "%s/%s", dir, KEY_FILE_NEW) < 0)
        abort();
    unlink(path);
}

bool key_file_write(const char *dir, const struct key_list *list, struct error *err)
{
    AUTO_CLOSE int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return error_errno(err, ERR_IO, "open %s", dir);
    if (unlinkat(dir_fd, KEY_FILE_NEW, 0) < 0 && errno != ENOENT)
        return error_errno(err, ERR_IO, "remove %s/%s", dir, KEY_FILE_NEW);
    AUTO_CLOSE int fd =
        openat(dir_fd, KEY_FILE_NEW, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_errno(err, ERR_IO, "create %s/%s", dir, KEY_FILE_NEW);
    if (!write_keys(fd, list, KEY_FILE_NEW, err)) {
        unlinkat(dir_fd, KEY_FILE_NEW, 0); // on a full disk its room is wanted; the next one is new
        return false;
    }
    if (renameat(dir_fd, KEY_FILE_NEW, dir_fd, KEY_FILE) < 0 || fsync(dir_fd) < 0)
        return error_errno(err, ERR_IO, "publish %s/%s", dir, KEY_FILE);
    return true;
}
