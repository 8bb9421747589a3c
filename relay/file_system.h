// file_system.h - can the file system below the queue keep what it has synced? Pure but for statfs.
#ifndef RELAY_FILE_SYSTEM_H
#define RELAY_FILE_SYSTEM_H

#include <stdint.h>

// What is to be said against a file system of this type (statfs(2)'s f_type): a sentence that names
// it and what to do, to be put behind the folder's name. NULL: nothing is known against it.
const char *file_system_doubt(uint64_t type);
// The same of the one that holds path; NULL also where that cannot be known.
const char *file_system_doubt_at(const char *path);

#endif
