#include "relay/deliverer/mask.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    LOOSE_MIN = 4,    // of fewer letters and digits what is between them counts as well
    FRAGMENT_MIN = 8, // so many of a secret are no chance
    NAME_MIN = 3,
    BASE64_MIN = 6, // a word that can hold LOOSE_MIN bytes
    BASE64_GROUP = 4,
};

// The text, or what it says when it is decoded: each byte, and the bytes of the text that it is of.
struct view {
    unsigned char *kinds; // of the text's bytes
    size_t size;
    char bytes[MASK_TEXT_MAX];
    uint16_t first[MASK_TEXT_MAX], last[MASK_TEXT_MAX];
    bool is_guess; // perhaps nothing was encoded
};

struct wanted {
    const char *text;
    size_t size;
    size_t count;  // of what is compared of it
    bool is_loose; // only letters and digits are
};

// Locale-free on purpose, as in reply.c.
static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_counted(char c)
{
    return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z');
}

static struct wanted want(const char *text, size_t size)
{
    struct wanted wanted = {.text = text, .size = size};
    for (size_t i = 0; i < size; i++)
        wanted.count += is_counted(text[i]);
    wanted.is_loose = wanted.count >= LOOSE_MIN;
    if (!wanted.is_loose)
        wanted.count = size;
    return wanted;
}

// ---- what is found ------------------------------------------------------------------------------

// How much of what is wanted stands in the view: its beginning from at on, or its end up to there.
static size_t count_same(const struct view *view, size_t at, const struct wanted *wanted,
                         bool backward, size_t *ret_last)
{
    size_t same = 0, i = at, k = 0;
    while (i < view->size && k < wanted->size) { // i wraps round below 0
        char c = wanted->text[backward ? wanted->size - 1 - k : k];
        if (wanted->is_loose && !is_counted(c)) {
            k++;
            continue;
        }
        if (!wanted->is_loose || is_counted(view->bytes[i])) {
            if (lower(view->bytes[i]) != lower(c))
                break;
            *ret_last = i;
            same++;
            k++;
        }
        i += backward ? SIZE_MAX : 1;
    }
    return same;
}

static void hide(const struct view *view, size_t from, size_t to, enum mask_kind kind)
{
    for (size_t i = view->first[from]; i <= view->last[to]; i++)
        if (view->kinds[i] != MASK_SECRET)
            view->kinds[i] = (unsigned char)kind;
}

static bool is_end(const struct view *view, size_t at)
{
    while (at < view->size && !is_counted(view->bytes[at]))
        at++;
    return at == view->size;
}

static bool may_begin(const struct view *view, size_t at, const struct wanted *wanted)
{
    return !wanted->is_loose || is_counted(view->bytes[at]);
}

static void find_secret(const struct view *view, const char *text, size_t size)
{
    const struct wanted wanted = want(text, size);
    if (wanted.count == 0 || (view->is_guess && !wanted.is_loose))
        return;
    for (size_t at = 0; at < view->size; at++) {
        size_t last = at;
        if (!may_begin(view, at, &wanted))
            continue;
        size_t same = count_same(view, at, &wanted, false, &last);
        if (same == wanted.count || same >= FRAGMENT_MIN ||
            (2 * same >= wanted.count && is_end(view, last + 1)))
            hide(view, at, last, MASK_SECRET);
        same = count_same(view, at, &wanted, true, &last);
        if (same >= FRAGMENT_MIN)
            hide(view, last, at, MASK_SECRET);
    }
}

// As a word, which what is part of a longer one is not.
static void find_name(const struct view *view, const char *text, size_t size)
{
    const struct wanted wanted = want(text, size);
    if (size < NAME_MIN || (view->is_guess && !wanted.is_loose))
        return;
    for (size_t at = 0; at < view->size; at++) {
        size_t last = at;
        if (may_begin(view, at, &wanted) && (at == 0 || !is_counted(view->bytes[at - 1])) &&
            count_same(view, at, &wanted, false, &last) == wanted.count &&
            (last + 1 == view->size || !is_counted(view->bytes[last + 1])))
            hide(view, at, last, MASK_ADDRESS);
    }
}

static void find_all(const struct view *view, const struct mask *mask)
{
    for (const char *at = mask->secrets; at && *at;) {
        size_t size = strcspn(at, "\n");
        find_secret(view, at, size);
        at += size + (at[size] == '\n');
    }
    if (mask->password)
        find_secret(view, mask->password, strlen(mask->password));
    if (mask->token)
        find_secret(view, mask->token, strlen(mask->token));
    if (mask->recipient) {
        const char *at = strrchr(mask->recipient, '@');
        find_name(view, mask->recipient, strlen(mask->recipient));
        if (at)
            find_name(view, mask->recipient, (size_t)(at - mask->recipient));
    }
}

// ---- where it is looked for ---------------------------------------------------------------------

static void add(struct view *view, char byte, size_t first, size_t last)
{
    view->bytes[view->size] = byte;
    view->first[view->size] = (uint16_t)first;
    view->last[view->size++] = (uint16_t)last;
}

static int digit_of(char c)
{
    int digit = c >= '0' && c <= '9' ? c - '0' : lower(c) - 'a' + 10;
    return is_counted(c) && digit < 16 ? digit : -1;
}

// "&#52;" or "&#x34;": its length, or 0.
static size_t entity_length(const char *text, size_t size, char *ret_byte)
{
    int number = 0, base = size > 2 && lower(text[2]) == 'x' ? 16 : 10;
    size_t start = base == 16 ? 3 : 2, at = start;
    if (size <= start || text[0] != '&' || text[1] != '#')
        return 0;
    while (at < size && number <= UINT8_MAX && digit_of(text[at]) >= 0 && digit_of(text[at]) < base)
        number = number * base + digit_of(text[at++]);
    if (at == start || at == size || text[at] != ';' || number > UINT8_MAX)
        return 0;
    *ret_byte = (char)number;
    return at + 1;
}

// What one encoded byte begins with, of URLs and of quoted-printable: its length, or 0.
static size_t encoded_length(const char *text, size_t size, char *ret_byte)
{
    if ((text[0] != '%' && text[0] != '=') || size < 3 || digit_of(text[1]) < 0 ||
        digit_of(text[2]) < 0)
        return entity_length(text, size, ret_byte);
    *ret_byte = (char)(digit_of(text[1]) * 16 + digit_of(text[2]));
    return 3;
}

static void read_plain(struct view *view, const char *text, size_t size)
{
    view->size = 0;
    for (size_t i = 0; i < size; i++)
        add(view, text[i], i, i);
}

// False: nothing is encoded.
static bool read_encoded(struct view *view, const char *text, size_t size)
{
    view->size = 0;
    for (size_t i = 0; i < size;) {
        char byte = text[i];
        size_t length = encoded_length(text + i, size - i, &byte);
        add(view, byte, i, i + (length ? length - 1 : 0));
        i += length ? length : 1;
    }
    return view->size < size;
}

// That of the web's alphabet as well; -1: none.
static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

// A word of the text from start on as if it were base64, but for its first skip letters, which may
// be of a group that was cut. Who shows a part of it shows what is in it.
static void read_base64(struct view *view, const char *text, size_t start, size_t size, size_t skip)
{
    unsigned bits = 0, held = 0;
    view->size = 0;
    for (size_t i = skip; i < size; i++) {
        bits = (bits << 6 | (unsigned)base64_digit(text[start + i])) & 0xffffU;
        held += 6;
        if (held >= 8) {
            held -= 8;
            add(view, (char)(unsigned char)(bits >> held), start, start + size - 1);
        }
    }
}

void mask_find(const struct mask *mask, const char *text, size_t size,
               unsigned char ret_kinds[MASK_TEXT_MAX])
{
    struct view view = {.kinds = ret_kinds};
    memset(ret_kinds, MASK_NOTHING, MASK_TEXT_MAX);
    read_plain(&view, text, size);
    find_all(&view, mask);
    if (read_encoded(&view, text, size))
        find_all(&view, mask);
    view.is_guess = true;
    for (size_t start = 0, length = 0; start < size; start += length + 1) {
        length = 0;
        while (start + length < size && base64_digit(text[start + length]) >= 0)
            length++;
        for (size_t skip = 0; length >= BASE64_MIN && skip < BASE64_GROUP; skip++) {
            read_base64(&view, text, start, length, skip);
            find_all(&view, mask);
        }
    }
    explicit_bzero(&view, sizeof(view));
}
