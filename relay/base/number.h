// number.h - numbers and durations as people write them in settings, read strictly.
#ifndef RELAY_BASE_NUMBER_H
#define RELAY_BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Digits only, from 0 to max.
bool number_parse(const char *text, size_t size, int64_t max, int64_t *ret_number);

// "250ms", "15s", "15m", "1h30m", "2d": whole numbers, each with its unit. At most a year.
bool duration_parse(const char *text, size_t size, int64_t *ret_ms);

#endif
