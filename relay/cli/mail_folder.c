#include "relay/cli/mail_folder.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/cleanup.h"

#define MARK ".courier-relay-render"
#define TEMPORARY "~new" // no path of ours ends so
#define NAME_SIZE 232    // with an ending it is still a file's name

static const char mark_text[] = "Made by courier-relay render --all, which writes here again.\n";

// ---- whose folder is it -------------------------------------------------------------------------

// A file or folder in it that is none of the two that every folder has; "": there is none.
static bool find_stranger(const struct mail_folder *folder, char ret_name[NAME_MAX + 1],
                          struct error *err)
{
    int own_fd = openat(folder->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = own_fd < 0 ? NULL : fdopendir(own_fd);
    if (!dir) {
        error_errno(err, ERR_IO, "read %s", folder->path);
        if (own_fd >= 0)
            close(own_fd);
        return false;
    }
    ret_name[0] = '\0';
    const struct dirent *entry;
    for (errno = 0; !ret_name[0] && (entry = readdir(dir)); errno = 0)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            snprintf(ret_name, NAME_MAX + 1, "%s", entry->d_name);
    bool read = errno == 0;
    closedir(dir);
    return read || error_set(err, ERR_IO, "%s cannot be read", folder->path);
}

static bool is_marked(int fd)
{
    struct stat status;
    return fstatat(fd, MARK, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode);
}

static bool take_over(const struct mail_folder *folder, struct error *err)
{
    if (is_marked(folder->fd))
        return true;
    char stranger[NAME_MAX + 1];
    if (!find_stranger(folder, stranger, err))
        return false;
    if (stranger[0])
        return error_set(err, ERR_INPUT,
                         "%s holds %s, which is not of `render --all`: name a new folder, or an "
                         "empty one",
                         folder->path, stranger);
    return mail_folder_write(folder, NULL, MARK, mark_text, sizeof(mark_text) - 1, err);
}

bool mail_folder_open(struct mail_folder *folder, const char *path, struct error *err)
{
    *folder = (struct mail_folder){.path = path, .fd = -1};
    if (mkdir(path, 0777) < 0 && errno != EEXIST)
        return error_errno(err, ERR_IO, "%s cannot be made", path);
    folder->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->fd < 0)
        return error_errno(err, ERR_IO, "%s", path);
    if (take_over(folder, err))
        return true;
    mail_folder_close(folder);
    return false;
}

void mail_folder_close(struct mail_folder *folder)
{
    if (folder->fd >= 0)
        close(folder->fd);
    folder->fd = -1;
}

// ---- names --------------------------------------------------------------------------------------

// Can it stand in a file's name as it is, everywhere?
static bool is_plain(char c)
{
    return isascii((unsigned char)c) && (isalnum((unsigned char)c) || c == '-' || c == '_');
}

static size_t name_size(const char *name)
{
    size_t size = 0;
    for (; *name; name++)
        size += is_plain(*name) ? 1 : 3;
    return size;
}

// Writes a name as a part of a path; gives its end.
static char *put_name(char *at, const char *name)
{
    for (; *name; name++) {
        if (is_plain(*name))
            *at++ = *name;
        else
            at += snprintf(at, 4, "~%02x", (unsigned char)*name);
    }
    *at = '\0';
    return at;
}

bool mail_folder_path(const char *brand, const char *locale, const char *type,
                      char ret_path[MAIL_FOLDER_PATH_SIZE], struct error *err)
{
    const char *const names[] = {brand, locale, type};
    char *at = ret_path;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!*names[i] || name_size(names[i]) > NAME_SIZE)
            return error_set(err, ERR_INPUT, "%s is empty or too long for a file's name", names[i]);
        if (i > 0)
            *at++ = '/';
        at = put_name(at, names[i]);
    }
    return true;
}

// ---- files --------------------------------------------------------------------------------------

// Opens, and makes where it is missing, the folder name in dir_fd. -1: failed.
static int open_folder(int dir_fd, const char *name, struct error *err)
{
    int fd = -1;
    if (mkdirat(dir_fd, name, 0777) == 0 || errno == EEXIST)
        fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        error_errno(err, ERR_IO, "%s", name);
    return fd;
}

static bool write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t count = write(fd, data, size);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return false;
        data += count;
        size -= (size_t)count;
    }
    return true;
}

static bool replace(int dir_fd, const char *name, const void *data, size_t size, struct error *err)
{
    unlinkat(dir_fd, TEMPORARY, 0); // of a run that was cut off; else there is none
    int fd = openat(dir_fd, TEMPORARY, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return error_errno(err, ERR_IO, "cannot be made");
    bool written = write_all(fd, data, size);
    if (!written)
        error_errno(err, ERR_IO, "cannot be written");
    if (close(fd) < 0 && written)
        written = error_errno(err, ERR_IO, "cannot be written");
    if (written && renameat(dir_fd, TEMPORARY, dir_fd, name) < 0)
        written = error_errno(err, ERR_IO, "cannot be replaced");
    if (!written)
        unlinkat(dir_fd, TEMPORARY, 0);
    return written;
}

bool mail_folder_write(const struct mail_folder *folder, const char *path, const char *ending,
                       const void *data, size_t size, struct error *err)
{
    if (!path)
        return replace(folder->fd, ending, data, size, err) ||
               error_prefix(err, "%s/%s", folder->path, ending);
    char copy[MAIL_FOLDER_PATH_SIZE], name[NAME_MAX + 1];
    snprintf(copy, sizeof(copy), "%s", path);
    char *rest = copy;
    const char *brand = strsep(&rest, "/"), *locale = strsep(&rest, "/");
    snprintf(name, sizeof(name), "%s%s", rest ? rest : "", ending);
    AUTO_CLOSE int brand_fd = open_folder(folder->fd, brand, err);
    AUTO_CLOSE int locale_fd = brand_fd < 0 ? -1 : open_folder(brand_fd, locale ? locale : "", err);
    return (locale_fd >= 0 && replace(locale_fd, name, data, size, err)) ||
           error_prefix(err, "%s/%s%s", folder->path, path, ending);
}
