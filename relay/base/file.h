// file.h - a whole file's bytes.
#ifndef RELAY_BASE_FILE_H
#define RELAY_BASE_FILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "relay/base/buffer.h"
#include "relay/base/error.h"

// Whoever reads in a running daemon must not be kept waiting, as by a pipe that nobody writes to.
enum file_kind { FILE_OF_ANY_KIND, FILE_REGULAR };

// Appends them to bytes, which has a limit of its own. ret_mode may be NULL. ERR_INPUT: it cannot
// be opened, is too large, or of another kind; ERR_IO: it cannot be read. The message does not
// name it.
bool file_read(const char *path, enum file_kind kind, struct buffer *bytes, mode_t *ret_mode,
               struct error *err);

#endif
