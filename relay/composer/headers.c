#include "relay/composer/headers.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "relay/composer/head.h"

#define NAME_MAX_BYTES 64
#define PLACEHOLDER_BYTES_MAX 64 // what one may come to: a type, a brand's name, a tag, an id

enum { TEMPLATE, BRAND, LOCALE, ID, PLACEHOLDER_COUNT };
static const char *const placeholders[PLACEHOLDER_COUNT] = {"template", "brand", "locale", "id"};

struct headers {
    size_t count;
    struct header {
        char *name, *text; // text as given, checked
    } items[HEADERS_COUNT_MAX];
};

// Ours, or those that say where a mail goes, where it came from and what a server thinks of it. A
// name that ends in '*' stands for all that begin so.
static const char *const reserved[] = {
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Bcc",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "X-Entity-Ref-ID",
    "Expires",
    "MIME-*",
    "Content-*",
    "Resent-*",
    "Received*",
    "Return-Path",
    "Delivered-To",
    "DKIM-*",
    "ARC-*",
    "DomainKey-*",
    "Authentication-Results",
    "Errors-To",
    "Apparently-To",
};

static void add_fault(json_t *faults, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void add_fault(json_t *faults, const char *name, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    json_t *what = json_vsprintf(format, arguments);
    va_end(arguments);
    // Without memory for it the fault is lost, but not the failure.
    json_t *fault =
        json_pack("{s:s, s:o}", "where", "mail_headers", "what",
                  name ? json_sprintf("%s: %s", name, json_string_value(what)) : json_incref(what));
    json_array_append_new(faults, fault);
    json_decref(what);
}

// RFC 5322 §3.6.8 has any printable ASCII but the colon; who needs more than this has a typing
// error, and a line that begins with a dot is one that SMTP doubles.
static bool is_name(const char *name)
{
    size_t size = strnlen(name, NAME_MAX_BYTES + 1);
    return size > 0 && size <= NAME_MAX_BYTES &&
           strspn(name, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_") == size;
}

static bool is_reserved(const char *name)
{
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        size_t size = strlen(reserved[i]);
        bool begins = reserved[i][size - 1] == '*';
        if (begins ? strncasecmp(name, reserved[i], size - 1) == 0
                   : strcasecmp(name, reserved[i]) == 0)
            return true;
    }
    return false;
}

// The placeholder that text, behind an opening brace, begins with; -1: none that is known. In
// either case *ret_size is how far its name goes.
static int find_placeholder(const char *text, size_t *ret_size)
{
    *ret_size = strcspn(text, "{}");
    for (int i = 0; i < PLACEHOLDER_COUNT; i++)
        if (text[*ret_size] == '}' && strlen(placeholders[i]) == *ret_size &&
            memcmp(text, placeholders[i], *ret_size) == 0)
            return i;
    return -1;
}

// Walks over text: appends it to out with its placeholders filled in. False: one is not known,
// and *ret_unknown is where its name begins and ret_size how long it is.
static bool fill(const char *text, const char *const values[PLACEHOLDER_COUNT], struct buffer *out,
                 const char **ret_unknown, size_t *ret_size)
{
    while (*text) {
        size_t size = strcspn(text, "{");
        buffer_append(out, text, size);
        text += size;
        if (*text == '\0')
            break;
        if (text[1] == '{') {
            buffer_putc(out, '{');
            text += 2;
            continue;
        }
        int placeholder = find_placeholder(text + 1, &size);
        if (placeholder < 0) {
            *ret_unknown = text + 1;
            *ret_size = size;
            return false;
        }
        buffer_puts(out, values[placeholder]);
        text += size + 2;
    }
    return true;
}

// Tries the text with the longest that may be filled in, in a mail's place: what passes here can
// fail for no mail.
static bool check_text(const char *name, const char *text, json_t *faults)
{
    char longest[PLACEHOLDER_BYTES_MAX + 1];
    memset(longest, 'x', PLACEHOLDER_BYTES_MAX);
    longest[PLACEHOLDER_BYTES_MAX] = '\0';
    const char *const values[PLACEHOLDER_COUNT] = {longest, longest, longest, longest};
    AUTO_BUFFER struct buffer value, line;
    buffer_init(&value, SIZE_MAX);
    buffer_init(&line, SIZE_MAX);
    const char *unknown;
    size_t size;
    struct error error;
    if (!fill(text, values, &value, &unknown, &size)) {
        add_fault(faults, name, "{%.*s} is none of {template}, {brand}, {locale} and {id}",
                  (int)size, unknown);
        return false;
    }
    if (value.size == 0 || value.data[0] == ' ' || value.data[value.size - 1] == ' ') {
        add_fault(faults, name, "is empty, or has a space at its begin or end");
        return false;
    }
    if (!head_put_words(&line, name, value.data, &error)) {
        add_fault(faults, NULL, "%s", error.message);
        return false;
    }
    return true;
}

static bool is_known(const struct headers *headers, const char *name)
{
    for (size_t i = 0; i < headers->count; i++)
        if (strcasecmp(headers->items[i].name, name) == 0)
            return true;
    return false;
}

static void add(struct headers *headers, const char *name, const json_t *value, json_t *faults)
{
    const char *text = json_string_value(value);
    if (!is_name(name))
        add_fault(faults, NULL, "a name is not 1 to %d letters, digits, '-' and '_'",
                  NAME_MAX_BYTES);
    else if (strncasecmp(name, "List-", 5) == 0)
        add_fault(faults, name, "is for lists; no one can unsubscribe from one-time mail");
    else if (is_reserved(name))
        add_fault(faults, name, "is not to be set here");
    else if (is_known(headers, name))
        add_fault(faults, name, "is there twice");
    else if (!text || strlen(text) != json_string_length(value))
        add_fault(faults, name, "is no text");
    else if (headers->count == HEADERS_COUNT_MAX)
        add_fault(faults, name, "is one more than %d headers", HEADERS_COUNT_MAX);
    else if (check_text(name, text, faults)) {
        struct header *header = &headers->items[headers->count++];
        *header = (struct header){strdup(name), strdup(text)};
        if (!header->name || !header->text)
            abort(); // a few bytes at the start
    }
}

struct headers *headers_create(json_t *object, json_t *faults)
{
    struct headers *headers = calloc(1, sizeof(*headers));
    if (!headers)
        return NULL;
    size_t faults_before = json_array_size(faults);
    if (object && !json_is_object(object) && !json_is_null(object))
        add_fault(faults, NULL, "is no object of names and texts");
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value) // NOLINT: jansson's macro
        add(headers, name, value, faults);
    if (json_array_size(faults) == faults_before)
        return headers;
    headers_destroy(headers);
    return NULL;
}

void headers_destroy(struct headers *headers)
{
    if (!headers)
        return;
    for (size_t i = 0; i < headers->count; i++) {
        free(headers->items[i].name);
        free(headers->items[i].text);
    }
    free(headers);
}

bool headers_put(const struct headers *headers, const struct header_values *values,
                 struct buffer *out, struct error *err)
{
    if (!headers)
        return true;
    const char *const filled[PLACEHOLDER_COUNT] = {
        [TEMPLATE] = values->template,
        [BRAND] = values->brand,
        [LOCALE] = values->locale,
        [ID] = values->id,
    };
    AUTO_BUFFER struct buffer value;
    buffer_init(&value, HEAD_VALUE_MAX);
    for (size_t i = 0; i < headers->count; i++) {
        const char *unknown;
        size_t size;
        buffer_clear(&value);
        bool ok = fill(headers->items[i].text, filled, &value, &unknown, &size);
        if (!ok || value.failed)
            return error_set(err, ERR_INPUT, "header %s: cannot be filled in",
                             headers->items[i].name);
        if (!head_put_words(out, headers->items[i].name, value.data ? value.data : "", err))
            return false;
    }
    return true;
}
