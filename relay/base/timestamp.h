// timestamp.h - points in time as people write them in settings, read strictly.
#ifndef RELAY_BASE_TIMESTAMP_H
#define RELAY_BASE_TIMESTAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The last millisecond, since the epoch, of what text names: a day ("2027-01-31", UTC), or a
// moment of RFC 3339 ("2027-01-31T18:00:00Z", "...T18:00:00.250+01:00"). False: it is neither, or
// lies before 1970.
bool timestamp_parse(const char *text, size_t size, int64_t *ret_wall_ms);

#endif
