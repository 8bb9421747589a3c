#include "jsonnet/payload.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "jsonnet/scrub.h"
#include "relay/base/buffer.h"

#define TEXT_SIZE_MAX (1024 * 1024)

json_t *payload_parse(const char *data, size_t size, struct error *err)
{
    AUTO_BUFFER struct buffer scratch;
    buffer_init(&scratch, scrub_limit(size));
    size_t clean_size;
    const char *clean = scrub_json(data, size, &scratch, &clean_size);
    if (!clean) {
        error_set(err, ERR_TEMPORARY, "no memory for a payload of %zu bytes", size);
        return NULL;
    }
    json_error_t fault;
    json_t *document = json_loadb(clean, clean_size, 0, &fault);
    // jansson's own text quotes what it stumbled over.
    if (!document)
        error_set(err, ERR_INPUT, "not JSON at line %d, column %d", fault.line, fault.column);
    return document;
}

// A piece of a path string; not NUL-terminated.
struct piece {
    const char *text;
    size_t size;
};

// Takes what stands before the next separator off *rest; false when nothing is left.
static bool next_piece(struct piece *rest, char separator, struct piece *ret_piece)
{
    if (!rest->text)
        return false;
    const char *stop = memchr(rest->text, separator, rest->size);
    size_t size = stop ? (size_t)(stop - rest->text) : rest->size;
    *ret_piece = (struct piece){rest->text, size};
    *rest = stop ? (struct piece){stop + 1, rest->size - size - 1} : (struct piece){0};
    return true;
}

static json_t *element(json_t *array, struct piece key)
{
    size_t index = 0;
    if (key.size == 0 || key.size > 6)
        return NULL;
    for (size_t i = 0; i < key.size; i++) {
        if (key.text[i] < '0' || key.text[i] > '9')
            return NULL;
        index = index * 10 + (size_t)(key.text[i] - '0');
    }
    return json_array_get(array, index);
}

static json_t *walk(json_t *document, struct piece path)
{
    json_t *value = document;
    struct piece key;
    if (path.size == 0)
        return document;
    while (value && next_piece(&path, '.', &key))
        value = json_is_array(value) ? element(value, key)
                                     : json_object_getn(value, key.text, key.size);
    return json_is_null(value) ? NULL : value;
}

json_t *payload_at(json_t *document, const char *paths)
{
    struct piece rest = {paths, strlen(paths)}, path;
    while (next_piece(&rest, '|', &path)) {
        json_t *value = walk(document, path);
        if (value)
            return value;
    }
    return NULL;
}

json_t *payload_number(json_t *document, const char *paths)
{
    struct piece rest = {paths, strlen(paths)}, path;
    while (next_piece(&rest, '|', &path)) {
        json_t *value = walk(document, path);
        if (json_number_value(value) > 0)
            return value;
    }
    return NULL;
}

static json_t *text_at(json_t *document, struct piece path, int digits)
{
    json_t *value = walk(document, path);
    if (json_string_length(value) > 0)
        return json_incref(value);
    if (!json_is_integer(value))
        return NULL;
    char text[24];
    snprintf(text, sizeof(text), "%0*" JSON_INTEGER_FORMAT,
             json_integer_value(value) > 0 ? digits : 0, json_integer_value(value));
    return json_string(text);
}

static json_t *joined_at(json_t *document, struct piece paths)
{
    AUTO_BUFFER struct buffer joined;
    buffer_init(&joined, TEXT_SIZE_MAX);
    struct piece path;
    while (next_piece(&paths, '+', &path)) {
        json_t *text = text_at(document, path, 0);
        if (text && joined.size)
            buffer_putc(&joined, ' ');
        if (text)
            buffer_append(&joined, json_string_value(text), json_string_length(text));
        json_decref(text);
    }
    return joined.size && !joined.failed ? json_stringn_nocheck(joined.data, joined.size) : NULL;
}

static json_t *alternative(json_t *document, struct piece path, int digits)
{
    if (path.size >= 2 && path.text[0] == '"' && path.text[path.size - 1] == '"')
        return json_stringn(path.text + 1, path.size - 2);
    if (memchr(path.text, '+', path.size))
        return joined_at(document, path);
    return text_at(document, path, digits);
}

json_t *payload_text(json_t *document, const char *objects, const char *paths, int digits)
{
    struct piece objects_left = {objects, strlen(objects)}, object;
    while (next_piece(&objects_left, '|', &object)) {
        json_t *in = walk(document, object);
        struct piece paths_left = {paths, strlen(paths)}, path;
        while (in && next_piece(&paths_left, '|', &path)) {
            json_t *text = alternative(in, path, digits);
            if (text)
                return text;
        }
    }
    return NULL;
}

json_t *payload_texts(json_t *document, const char *objects, const char *paths)
{
    json_t *texts = json_array();
    struct piece objects_left = {objects, strlen(objects)}, object;
    while (texts && next_piece(&objects_left, '|', &object)) {
        json_t *in = walk(document, object);
        struct piece paths_left = {paths, strlen(paths)}, path;
        while (in && next_piece(&paths_left, '|', &path)) {
            json_t *text = alternative(in, path, 0);
            if (text)
                json_array_append_new(texts, text);
        }
    }
    return texts;
}
