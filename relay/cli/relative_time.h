// relative_time.h - how long ago, or how soon, in a word or two.
#ifndef RELAY_CLI_RELATIVE_TIME_H
#define RELAY_CLI_RELATIVE_TIME_H

#include <stdint.h>

#define RELATIVE_TIME_SIZE 32

// ahead_ms: of now. "80s ago", "in 12m", "47h ago", "3d ago", "now". Gives text.
const char *relative_time(int64_t ahead_ms, char text[RELATIVE_TIME_SIZE]);

#endif
