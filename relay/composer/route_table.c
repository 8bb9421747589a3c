#include "relay/composer/route_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/buffer.h"

static bool read_stream(FILE *stream, struct buffer *text, struct error *err)
{
    char chunk[16384];
    size_t size;
    while ((size = fread(chunk, 1, sizeof(chunk), stream)) > 0)
        buffer_append(text, chunk, size);
    if (ferror(stream))
        return error_errno(err, ERR_INPUT, "read");
    buffer_puts(text, "");
    if (text->failed)
        return error_set(err, ERR_INPUT, "over %d bytes", NORMALISER_SIZE_MAX);
    if (strlen(text->data) != text->size)
        return error_set(err, ERR_INPUT, "no text: it holds a NUL byte");
    return true;
}

// Returns the file's text, or NULL; the caller frees it.
static char *read_text(const char *file, struct error *err)
{
    FILE *stream = fopen(file, "re");
    if (!stream) {
        error_errno(err, ERR_INPUT, "open");
        return NULL;
    }
    AUTO_BUFFER struct buffer text;
    buffer_init(&text, NORMALISER_SIZE_MAX);
    bool whole = read_stream(stream, &text, err);
    fclose(stream);
    return whole ? buffer_take(&text) : NULL;
}

json_t *route_table_fault(const struct route_table *table, const char *message)
{
    for (size_t i = 0; i < table->source_count; i++) {
        const char *file = table->sources[i].file;
        if (!file || strncmp(message, file, strlen(file)) != 0)
            continue;
        const char *behind = message + strlen(file);
        const char *colon = *behind == ':' ? strstr(behind, ": ") : NULL;
        if (colon)
            return json_pack("{s:s%, s:s}", "where", message, (size_t)(colon - message), "what",
                             colon + 2);
    }
    return json_pack("{s:s, s:s}", "where", "normaliser", "what", message);
}

static void add_fault(json_t *faults, const char *file, const char *what)
{
    json_array_append_new(faults, json_pack("{s:s, s:s}", "where", file, "what", what));
}

// Gives the number of the source that is this file, read at its first mention. A file that
// cannot be used becomes a source without a text, so that it is told once.
static bool find_source(struct route_table *table, const char *file, json_t *faults,
                        size_t *ret_source, struct error *err)
{
    for (size_t i = 0; i < table->source_count; i++) {
        const char *known = table->sources[i].file;
        if (known && strcmp(known, file) == 0) {
            *ret_source = i;
            return true;
        }
    }
    struct normaliser_source *source = &table->sources[table->source_count];
    if (!(source->file = strdup(file)))
        return error_set(err, ERR_TEMPORARY, "routes: no memory");
    *ret_source = table->source_count++;
    struct error error;
    if (!(source->text = read_text(file, &error)))
        add_fault(faults, file, error.message);
    else if (!normaliser_check(source, &error))
        json_array_append_new(faults, route_table_fault(table, error.message));
    return true;
}

static bool add_route(struct route_table *table, json_t *object, json_t *faults, struct error *err)
{
    const char *name, *file;
    json_t *defaults = json_object_get(object, "defaults");
    if (json_unpack(object, "{s:s, s:s}", "name", &name, "normaliser", &file) != 0 ||
        (defaults && !json_is_null(defaults) && !json_is_object(defaults)))
        return error_set(err, ERR_INPUT, "routes: one is malformed");
    struct composer_route *route = &table->routes[table->count];
    if (!find_source(table, file, faults, &route->source, err))
        return false;
    if (!(route->name = strdup(name)))
        return error_set(err, ERR_TEMPORARY, "routes: no memory");
    route->defaults = json_is_object(defaults) ? json_incref(defaults) : NULL;
    table->count++;
    return true;
}

bool route_table_init(struct route_table *table, const json_t *routes, json_t *faults,
                      struct error *err)
{
    size_t count = json_array_size(routes);
    *table = (struct route_table){0};
    if (count == 0)
        return error_set(err, ERR_INPUT, "routes: there is none");
    table->routes = calloc(count, sizeof(*table->routes));
    table->sources = calloc(count, sizeof(*table->sources));
    if (!table->routes || !table->sources)
        return error_set(err, ERR_TEMPORARY, "routes: no memory");
    for (size_t i = 0; i < count; i++)
        if (!add_route(table, json_array_get(routes, i), faults, err))
            return false;
    return true;
}

void route_table_finish(struct route_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        free(table->routes[i].name);
        json_decref(table->routes[i].defaults);
    }
    for (size_t i = 0; i < table->source_count; i++) {
        free(table->sources[i].file);
        free(table->sources[i].text);
    }
    free(table->routes);
    free(table->sources);
    *table = (struct route_table){0};
}

const struct composer_route *route_table_find(const struct route_table *table, const char *name)
{
    if (!name)
        return &table->routes[0];
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(table->routes[i].name, name) == 0)
            return &table->routes[i];
    return NULL;
}
