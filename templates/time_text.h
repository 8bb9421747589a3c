// time_text.h - how one language writes a time of day and a day, in a reader's time zone.
//
// Times are milliseconds since 1970 UTC, up to the year 9999. They are written as the language's
// readers write them ("2:05 PM GMT+1", "14:05 CET"), always with the zone's short name, never with
// a year, which a mail program could take for a code, and with the digits 0 to 9 in every
// language, as the codes beside them are. Spaces that fonts may lack are plain no-break spaces, and
// so are all in a time of day, which is not to end on another line.
// One thread. Files are looked for by time_text_create() alone; after one was made, neither writing
// nor zone_resolve() asks for any.
#ifndef TEMPLATES_TIME_TEXT_H
#define TEMPLATES_TIME_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/buffer.h"
#include "relay/base/error.h"

struct time_text;

// language: a BCP 47 tag. One that ICU does not know gets figures alone ("11-21 14:05 GMT+1").
// Takes next to nothing: what is needed is loaded (half a millisecond) when a first time is
// written. ERR_INPUT: no tag; ERR_TEMPORARY: no memory.
struct time_text *time_text_create(const char *language, struct error *err);
void time_text_destroy(struct time_text *text); // NULL is a no-op

// Append to out the time of day ("14:05 CET"), or it with its day ("21 November at 14:05 CET").
// zone: a name that zone_resolve() gave. False, and out as it was, where the time is out of range,
// the zone not known or there is no memory.
bool time_text_clock(struct time_text *text, const char *zone, int64_t wall_ms, struct buffer *out);
bool time_text_moment(struct time_text *text, const char *zone, int64_t wall_ms,
                      struct buffer *out);

// Reads "2026-11-21T14:05:00.123+01:00", as RFC 3339 §5.6 has it. False where it is anything
// else, no date that exists, or before 1970.
bool time_text_parse(const char *rfc3339, int64_t *ret_wall_ms);

#endif
