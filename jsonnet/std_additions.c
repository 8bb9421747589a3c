#include "jsonnet/std_additions.h"

#include <glib.h>
#include <libjsonnet.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "relay/base/buffer.h"
#include "relay/base/cleanup.h"

#define PI 3.141592653589793
#define TEXT_SIZE_MAX (16 * 1024 * 1024) // of one that a native makes

__asm__(".pushsection .rodata\n"
        ".globl std_additions\n"
        "std_additions:\n"
        ".incbin \"jsonnet/std_additions.libsonnet\"\n"
        ".byte 0\n"
        ".popsection\n");

typedef const struct JsonnetJsonValue *const *arguments;

static struct JsonnetJsonValue *fail(struct JsonnetVm *vm, const char *message, int *ret_success)
{
    *ret_success = 0;
    return jsonnet_json_make_string(vm, message);
}

static struct JsonnetJsonValue *wrong_type(struct JsonnetVm *vm, int *ret_success)
{
    return fail(vm, "std: wrong type", ret_success);
}

static struct JsonnetJsonValue *make_number(struct JsonnetVm *vm, double value, int *ret_success)
{
    if (!isfinite(value))
        return fail(vm, isnan(value) ? "not a number" : "overflow", ret_success);
    *ret_success = 1;
    return jsonnet_json_make_number(vm, value);
}

static struct JsonnetJsonValue *make_bool(struct JsonnetVm *vm, bool value, int *ret_success)
{
    *ret_success = 1;
    return jsonnet_json_make_bool(vm, value);
}

// Of size bytes at text, which goes on behind them.
static struct JsonnetJsonValue *make_string(struct JsonnetVm *vm, const char *text, size_t size,
                                            int *ret_success)
{
    AUTO_BUFFER struct buffer copy;
    buffer_init(&copy, TEXT_SIZE_MAX);
    buffer_append(&copy, text, size);
    if (copy.failed)
        return fail(vm, "std: too large", ret_success);
    *ret_success = 1;
    return jsonnet_json_make_string(vm, copy.data);
}

#define NATIVE(name)                                                                               \
    static struct JsonnetJsonValue *native_##name(void *vm, arguments args, int *ret_success)

// Functions of numbers; x and y are the arguments.
#define NUMERIC_1(name, make, expression)                                                          \
    NATIVE(name)                                                                                   \
    {                                                                                              \
        double x;                                                                                  \
        if (!jsonnet_json_extract_number(vm, args[0], &x))                                         \
            return wrong_type(vm, ret_success);                                                    \
        return make(vm, expression, ret_success);                                                  \
    }
#define NUMERIC_2(name, expression)                                                                \
    NATIVE(name)                                                                                   \
    {                                                                                              \
        double x, y;                                                                               \
        if (!jsonnet_json_extract_number(vm, args[0], &x) ||                                       \
            !jsonnet_json_extract_number(vm, args[1], &y))                                         \
            return wrong_type(vm, ret_success);                                                    \
        return make_number(vm, expression, ret_success);                                           \
    }
NUMERIC_1(round, make_number, round(x))
NUMERIC_1(isEven, make_bool, fmod(trunc(x), 2) == 0)
NUMERIC_1(isOdd, make_bool, fmod(trunc(x), 2) != 0)
NUMERIC_1(isInteger, make_bool, trunc(x) == x)
NUMERIC_1(isDecimal, make_bool, trunc(x) != x)
NUMERIC_1(log2, make_number, log(x) / log(2))
NUMERIC_1(log10, make_number, log(x) / log(10))
NUMERIC_1(deg2rad, make_number, x *PI / 180)
NUMERIC_1(rad2deg, make_number, x * 180 / PI)
NUMERIC_2(atan2, atan2(x, y)) // y, x
NUMERIC_2(hypot, hypot(x, y))

// 0 or 1, or -1 where it is no boolean.
static int boolean(struct JsonnetVm *vm, const struct JsonnetJsonValue *value)
{
    int extracted = jsonnet_json_extract_bool(vm, value);
    return extracted == 2 ? -1 : extracted;
}

NATIVE(xor)
{
    int x = boolean(vm, args[0]), y = boolean(vm, args[1]);
    return x < 0 || y < 0 ? wrong_type(vm, ret_success) : make_bool(vm, x != y, ret_success);
}

NATIVE(xnor)
{
    int x = boolean(vm, args[0]), y = boolean(vm, args[1]);
    return x < 0 || y < 0 ? wrong_type(vm, ret_success) : make_bool(vm, x == y, ret_success);
}

NATIVE(isEmpty)
{
    const char *text = jsonnet_json_extract_string(vm, args[0]);
    return text ? make_bool(vm, !*text, ret_success) : wrong_type(vm, ret_success);
}

// What Unicode calls white space, as go-jsonnet does.
NATIVE(trim)
{
    const char *text = jsonnet_json_extract_string(vm, args[0]);
    if (!text)
        return wrong_type(vm, ret_success);
    int32_t size = (int32_t)strlen(text), start = 0, end = size;
    while (start < size) {
        int32_t next = start;
        UChar32 c;
        U8_NEXT((const uint8_t *)text, next, size, c);
        if (c < 0 || !u_isUWhiteSpace(c))
            break;
        start = next;
    }
    while (end > start) {
        int32_t previous = end;
        UChar32 c;
        U8_PREV((const uint8_t *)text, start, previous, c);
        if (c < 0 || !u_isUWhiteSpace(c))
            break;
        end = previous;
    }
    return make_string(vm, text + start, (size_t)(end - start), ret_success);
}

// By simple case folding, character by character.
static bool equal_folded(const char *one, const char *other)
{
    int32_t one_size = (int32_t)strlen(one), other_size = (int32_t)strlen(other);
    int32_t one_at = 0, other_at = 0;
    while (one_at < one_size && other_at < other_size) {
        UChar32 a, b;
        U8_NEXT((const uint8_t *)one, one_at, one_size, a);
        U8_NEXT((const uint8_t *)other, other_at, other_size, b);
        if (a != b && u_foldCase(a, U_FOLD_CASE_DEFAULT) != u_foldCase(b, U_FOLD_CASE_DEFAULT))
            return false;
    }
    return one_at == one_size && other_at == other_size;
}

NATIVE(equalsIgnoreCase)
{
    const char *one = jsonnet_json_extract_string(vm, args[0]);
    const char *other = jsonnet_json_extract_string(vm, args[1]);
    if (!one || !other)
        return wrong_type(vm, ret_success);
    return make_bool(vm, equal_folded(one, other), ret_success);
}

NATIVE(escapeStringXML)
{
    static const struct {
        char character;
        const char *escape;
    } escapes[] = {
        {'<', "&lt;"}, {'>', "&gt;"}, {'&', "&amp;"}, {'"', "&quot;"}, {'\'', "&apos;"},
    };
    const char *text = jsonnet_json_extract_string(vm, args[0]);
    if (!text)
        return wrong_type(vm, ret_success);
    AUTO_BUFFER struct buffer escaped;
    buffer_init(&escaped, TEXT_SIZE_MAX);
    for (; *text; text++) {
        const char *escape = NULL;
        for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++)
            if (*text == escapes[i].character)
                escape = escapes[i].escape;
        if (escape)
            buffer_puts(&escaped, escape);
        else
            buffer_putc(&escaped, *text);
    }
    if (escaped.failed)
        return fail(vm, "std: too large", ret_success);
    return make_string(vm, escaped.data ? escaped.data : "", escaped.size, ret_success);
}

// The last place of what in the first size bytes of text; it is there.
static size_t find_last(const char *text, size_t size, const char *what, size_t what_size)
{
    size_t at = size - what_size;
    while (at > 0 && memcmp(text + at, what, what_size) != 0)
        at--;
    return at;
}

static size_t count_places(const char *text, const char *what, size_t what_size, double limit)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, what)) && (limit < 0 || (double)count < limit);
         at += what_size)
        count++;
    return count;
}

// Splits text at `count` separators, the last ones or the first ones.
static struct JsonnetJsonValue *split_at(struct JsonnetVm *vm, const char *text,
                                         const char *separator, size_t count, bool last_ones,
                                         int *ret_success)
{
    size_t separator_size = strlen(separator), text_size = strlen(text);
    AUTO_FREE size_t *cuts = malloc((count + 1) * sizeof(*cuts));
    if (!cuts)
        return fail(vm, "std: too large", ret_success);
    cuts[count] = text_size;
    if (last_ones) {
        for (size_t i = count; i > 0; i--)
            cuts[i - 1] = find_last(text, cuts[i], separator, separator_size);
    } else {
        for (size_t i = 0, from = 0; i < count; from = cuts[i++] + separator_size)
            cuts[i] = (size_t)(strstr(text + from, separator) - text);
    }

    struct JsonnetJsonValue *pieces = jsonnet_json_make_array(vm);
    for (size_t i = 0, from = 0; i <= count; from = cuts[i++] + separator_size) {
        struct JsonnetJsonValue *piece = make_string(vm, text + from, cuts[i] - from, ret_success);
        jsonnet_json_array_append(vm, pieces, piece);
    }
    return pieces;
}

static struct JsonnetJsonValue *split(struct JsonnetVm *vm, arguments args, bool last_ones,
                                      int *ret_success)
{
    double limit;
    const char *text = jsonnet_json_extract_string(vm, args[0]);
    const char *separator = jsonnet_json_extract_string(vm, args[1]);
    if (!text || !separator || !jsonnet_json_extract_number(vm, args[2], &limit))
        return wrong_type(vm, ret_success);
    if (trunc(limit) != limit)
        return fail(vm, "std: no integer", ret_success);
    if (!*separator || limit < -1)
        return fail(vm, "std: out of range", ret_success);
    size_t count = count_places(text, separator, strlen(separator), limit);
    *ret_success = 1;
    return split_at(vm, text, separator, count, last_ones, ret_success);
}

NATIVE(splitLimit)
{
    return split(vm, args, false, ret_success);
}

NATIVE(splitLimitR)
{
    return split(vm, args, true, ret_success);
}

static struct JsonnetJsonValue *checksum(struct JsonnetVm *vm, GChecksumType type,
                                         const struct JsonnetJsonValue *value, int *ret_success)
{
    const char *text = jsonnet_json_extract_string(vm, value);
    if (!text)
        return wrong_type(vm, ret_success);
    char *digits = g_compute_checksum_for_string(type, text, -1);
    struct JsonnetJsonValue *made = make_string(vm, digits, strlen(digits), ret_success);
    g_free(digits);
    return made;
}

NATIVE(sha1)
{
    return checksum(vm, G_CHECKSUM_SHA1, args[0], ret_success);
}

NATIVE(sha256)
{
    return checksum(vm, G_CHECKSUM_SHA256, args[0], ret_success);
}

NATIVE(sha512)
{
    return checksum(vm, G_CHECKSUM_SHA512, args[0], ret_success);
}

void std_additions_register(struct JsonnetVm *vm)
{
    static const char *const x[] = {"x", NULL}, *const x_y[] = {"x", "y", NULL},
                             *const y_x[] = {"y", "x", NULL}, *const str[] = {"str", NULL},
                             *const s[] = {"s", NULL}, *const str1_str2[] = {"str1", "str2", NULL},
                             *const str_c_maxsplits[] = {"str", "c", "maxsplits", NULL};
    static const struct {
        const char *name;
        JsonnetNativeCallback *callback;
        const char *const *params; // named as in the standard library: they can be given by name
    } natives[] = {
        {"std_round", native_round, x},
        {"std_isEven", native_isEven, x},
        {"std_isOdd", native_isOdd, x},
        {"std_isInteger", native_isInteger, x},
        {"std_isDecimal", native_isDecimal, x},
        {"std_log2", native_log2, x},
        {"std_log10", native_log10, x},
        {"std_deg2rad", native_deg2rad, x},
        {"std_rad2deg", native_rad2deg, x},
        {"std_atan2", native_atan2, y_x},
        {"std_hypot", native_hypot, x_y},
        {"std_xor", native_xor, x_y},
        {"std_xnor", native_xnor, x_y},
        {"std_isEmpty", native_isEmpty, str},
        {"std_trim", native_trim, str},
        {"std_equalsIgnoreCase", native_equalsIgnoreCase, str1_str2},
        {"std_escapeStringXML", native_escapeStringXML, str},
        {"std_splitLimit", native_splitLimit, str_c_maxsplits},
        {"std_splitLimitR", native_splitLimitR, str_c_maxsplits},
        {"std_sha1", native_sha1, s},
        {"std_sha256", native_sha256, s},
        {"std_sha512", native_sha512, s},
    };
    for (size_t i = 0; i < sizeof(natives) / sizeof(natives[0]); i++)
        jsonnet_native_callback(vm, natives[i].name, natives[i].callback, vm, natives[i].params);
}
