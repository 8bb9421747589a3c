#include "templates/mustache/template_value.h"

#include <stdio.h>

// Quotes and the backtick end attribute values in one browser or another, and = begins one
// where quotes were forgotten.
static const char *const ESCAPES[256] = {
    ['&'] = "&amp;",  ['<'] = "&lt;",  ['>'] = "&gt;",  ['"'] = "&quot;",
    ['\''] = "&#39;", ['`'] = "&#96;", ['='] = "&#61;",
};

static void write_escaped(struct buffer *out, const char *text, size_t size)
{
    size_t clean = 0; // where what needs no escaping and is not written yet begins
    for (size_t i = 0; i < size; i++) {
        const char *escape = ESCAPES[(unsigned char)text[i]];
        if (!escape)
            continue;
        buffer_append(out, text + clean, i - clean);
        buffer_puts(out, escape);
        clean = i + 1;
    }
    buffer_append(out, text + clean, size - clean);
}

void template_value_write(struct buffer *out, const json_t *value, bool escape)
{
    char number[64];
    if (!value)
        return;
    switch (json_typeof(value)) {
    case JSON_STRING:
        if (escape)
            write_escaped(out, json_string_value(value), json_string_length(value));
        else
            buffer_append(out, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
        buffer_puts(out, number);
        break;
    case JSON_REAL:
        snprintf(number, sizeof(number), "%.15g", json_real_value(value));
        buffer_puts(out, number);
        break;
    case JSON_TRUE:
        buffer_puts(out, "true");
        break;
    case JSON_FALSE:
        buffer_puts(out, "false");
        break;
    case JSON_NULL:
    case JSON_OBJECT:
    case JSON_ARRAY:
        break;
    }
}

bool template_value_is_true(const json_t *value)
{
    if (!value)
        return false;
    switch (json_typeof(value)) {
    case JSON_NULL:
    case JSON_FALSE:
        return false;
    case JSON_TRUE:
    case JSON_OBJECT:
        return true;
    case JSON_ARRAY:
        return json_array_size(value) > 0;
    case JSON_STRING:
        return json_string_length(value) > 0;
    case JSON_INTEGER:
        return json_integer_value(value) != 0;
    case JSON_REAL:
        return json_real_value(value) < 0 || json_real_value(value) > 0;
    }
    return false;
}
