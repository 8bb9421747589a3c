#include "jsonnet/scrub.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "jsonnet/payload.h"

#define REPLACEMENT "\xEF\xBF\xBD" // U+FFFD
#define REPLACEMENT_ESCAPE "\\ufffd"
#define LARGEST_EXACT "9007199254740992" // 2^53: above it a double skips integers
#define REAL_SIZE_MAX 64                 // a longer number is no use as one

// Bytes are copied only once a first replacement was needed: kept is where the bytes begin that
// are good as they are and not in out yet.
struct scrubber {
    const char *at, *end;
    const char *kept;
    struct buffer *out;
    size_t depth;
};

static void replace(struct scrubber *scrubber, const char *from, const char *with)
{
    buffer_append(scrubber->out, scrubber->kept, (size_t)(from - scrubber->kept));
    buffer_puts(scrubber->out, with);
    scrubber->kept = scrubber->at;
}

static bool continues(const char *at, const char *end, unsigned char least, unsigned char most)
{
    return at < end && (unsigned char)*at >= least && (unsigned char)*at <= most;
}

// The length of the well-formed sequence at `at` (Unicode 15, table 3-7), or 0.
static size_t utf8_length(const char *at, const char *end)
{
    unsigned char first = (unsigned char)*at;
    if (first < 0x80)
        return 1;
    if (first >= 0xC2 && first <= 0xDF)
        return continues(at + 1, end, 0x80, 0xBF) ? 2 : 0;

    unsigned char least = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    unsigned char most = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (first < 0xE0 || first > 0xF4 || !continues(at + 1, end, least, most) ||
        !continues(at + 2, end, 0x80, 0xBF))
        return 0;
    if (first <= 0xEF)
        return 3;
    return continues(at + 3, end, 0x80, 0xBF) ? 4 : 0;
}

static void scrub_bytes(struct scrubber *scrubber)
{
    size_t length = utf8_length(scrubber->at, scrubber->end);
    const char *from = scrubber->at;
    scrubber->at += length ? length : 1;
    if (!length)
        replace(scrubber, from, REPLACEMENT);
}

// The value of the \uXXXX at `at`, or -1.
static int unicode_escape(const char *at, const char *end)
{
    if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return -1;
    int value = 0;
    for (int i = 2; i < 6; i++) {
        char c = at[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

static void scrub_escape(struct scrubber *scrubber)
{
    const char *from = scrubber->at;
    int unit = unicode_escape(from, scrubber->end);
    if (unit < 0) { // \n, \", \\ and what the parser will refuse
        scrubber->at += scrubber->end - from > 1 ? 2 : 1;
        return;
    }
    scrubber->at += 6;
    bool high = unit >= 0xD800 && unit <= 0xDBFF;
    bool low = unit >= 0xDC00 && unit <= 0xDFFF;
    if (high) {
        int second = unicode_escape(scrubber->at, scrubber->end);
        if (second >= 0xDC00 && second <= 0xDFFF) {
            scrubber->at += 6;
            return;
        }
    }
    if (unit == 0 || high || low)
        replace(scrubber, from, REPLACEMENT_ESCAPE);
}

static bool is_plain(char c)
{
    return (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

static void scrub_string(struct scrubber *scrubber)
{
    scrubber->at++;
    while (scrubber->at < scrubber->end) {
        const char *at = scrubber->at;
        while (at < scrubber->end && is_plain(*at))
            at++;
        scrubber->at = at;
        if (at == scrubber->end)
            return;
        if (*at == '"') {
            scrubber->at++;
            return;
        }
        if (*at == '\\')
            scrub_escape(scrubber);
        else
            scrub_bytes(scrubber);
    }
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_number_part(char c)
{
    return is_digit(c) || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

static bool integer_exact(const char *digits, size_t size)
{
    size_t exact_size = strlen(LARGEST_EXACT);
    if (size != exact_size)
        return size < exact_size;
    return memcmp(digits, LARGEST_EXACT, size) <= 0;
}

static bool real_finite(const char *text, size_t size)
{
    char copy[REAL_SIZE_MAX + 1];
    if (size > REAL_SIZE_MAX)
        return false;
    memcpy(copy, text, size);
    copy[size] = '\0';
    return isfinite(strtod(copy, NULL));
}

static void scrub_number(struct scrubber *scrubber)
{
    const char *from = scrubber->at;
    const char *digits = from + (*from == '-');
    bool integer = true;
    for (scrubber->at = digits; scrubber->at < scrubber->end && is_number_part(*scrubber->at);
         scrubber->at++)
        integer = integer && is_digit(*scrubber->at);

    size_t size = (size_t)(scrubber->at - digits);
    if (size == 0 || (integer ? integer_exact(digits, size) : real_finite(digits, size)))
        return;
    replace(scrubber, from, "\"");
    buffer_append(scrubber->out, from, (size_t)(scrubber->at - from));
    buffer_putc(scrubber->out, '"');
}

// Steps over an array or object of any depth, counting brackets only.
static void cut(struct scrubber *scrubber)
{
    const char *from = scrubber->at;
    size_t open = 0;
    bool in_string = false;
    while (scrubber->at < scrubber->end) {
        char c = *scrubber->at++;
        if (in_string) {
            if (c == '\\' && scrubber->at < scrubber->end)
                scrubber->at++;
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            open++;
        } else if ((c == ']' || c == '}') && --open == 0) {
            break;
        }
    }
    replace(scrubber, from, "null");
}

static void scrub_token(struct scrubber *scrubber)
{
    char c = *scrubber->at;
    if (c == '"') {
        scrub_string(scrubber);
    } else if (c == '-' || is_digit(c)) {
        scrub_number(scrubber);
    } else if ((c == '[' || c == '{') && scrubber->depth == PAYLOAD_DEPTH_MAX) {
        cut(scrubber);
    } else if (c == '[' || c == '{') {
        scrubber->depth++;
        scrubber->at++;
    } else if (c == ']' || c == '}') {
        scrubber->depth -= scrubber->depth > 0;
        scrubber->at++;
    } else {
        scrub_bytes(scrubber);
    }
}

static bool is_between(char c)
{
    return c == ' ' || c == '\n' || c == ',' || c == ':' || c == '\r' || c == '\t';
}

const char *scrub_json(const char *data, size_t size, struct buffer *scratch, size_t *ret_size)
{
    struct scrubber scrubber = {.at = data, .end = data + size, .kept = data, .out = scratch};
    while (scrubber.at < scrubber.end) {
        if (is_between(*scrubber.at)) // a third of what Kratos posts
            scrubber.at++;
        else
            scrub_token(&scrubber);
    }
    if (scrubber.kept == data) {
        *ret_size = size;
        return data;
    }
    buffer_append(scratch, scrubber.kept, (size_t)(scrubber.end - scrubber.kept));
    *ret_size = scratch->size;
    return scratch->failed ? NULL : scratch->data;
}

// The worst is a byte that becomes the three of U+FFFD, or a bracket the four of null.
size_t scrub_limit(size_t size)
{
    return size > SIZE_MAX / 8 ? SIZE_MAX / 2 : 4 * size + 8;
}
