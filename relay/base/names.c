#include "relay/base/names.h"

#include <ctype.h>
#include <string.h>

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t names_distance(const char *a, const char *b)
{
    size_t a_size = strnlen(a, NAMES_SIZE_MAX), b_size = strnlen(b, NAMES_SIZE_MAX);
    size_t row[NAMES_SIZE_MAX + 1]; // distances of a's first i characters to each start of b
    for (size_t j = 0; j <= b_size; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t above = row[j];
            int differs = tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]);
            row[j] = least(least(above, row[j - 1]) + 1, diagonal + (size_t)differs);
            diagonal = above;
        }
    }
    return row[b_size];
}
