// mail_folder.h - the folder that `render --all` fills: DIR/BRAND/LOCALE/TYPE.html and so on.
//
// Writes only into a folder that was empty, or that it has filled before, and deletes nothing.
// Follows no symbolic link below the folder; a file is replaced as a whole or stays as it was.
#ifndef RELAY_CLI_MAIL_FOLDER_H
#define RELAY_CLI_MAIL_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/base/error.h"

#define MAIL_FOLDER_PATH_SIZE 768

struct mail_folder {
    const char *path; // as named; borrowed
    int fd;
};

// Makes the folder where it is missing (its parent must be there) and marks it as one of ours.
// ERR_INPUT: it holds what is not ours. To be closed where this succeeded.
bool mail_folder_open(struct mail_folder *folder, const char *path, struct error *err);
void mail_folder_close(struct mail_folder *folder);

// "BRAND/LOCALE/TYPE", where what is no letter, digit, '-' or '_' of a name is written as "~2e":
// whatever the names are, it is a path below the folder, and another one for other names.
// ERR_INPUT: a name is too long.
bool mail_folder_path(const char *brand, const char *locale, const char *type,
                      char ret_path[MAIL_FOLDER_PATH_SIZE], struct error *err);

// Writes path (of mail_folder_path()) with an ending (".html"), or, path NULL, a file of that name.
bool mail_folder_write(const struct mail_folder *folder, const char *path, const char *ending,
                       const void *data, size_t size, struct error *err);

#endif
