// token.h - the bearer token of XOAUTH2 and OAUTHBEARER, which somebody else renews in a file.
#ifndef RELAY_DELIVERER_TOKEN_H
#define RELAY_DELIVERER_TOKEN_H

#include <stdbool.h>
#include <sys/stat.h>

#include "relay/base/error.h"

// What the file was when it was read last; zero: not yet.
struct token_file {
    struct stat seen;
};

// Is the file another one since it was read, or written to, or gone?
bool token_has_changed(const struct token_file *file, const char *path);

// Reads it, without the blanks around the token. The caller wipes and frees it; NULL: *err names
// the file, and says what is wrong with it without a byte of it.
char *token_read(struct token_file *file, const char *path, struct error *err);

#endif
