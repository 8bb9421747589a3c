// source.h - a file of the templates folder: its text, and in which line of it a key stands.
#ifndef TEMPLATES_SOURCE_H
#define TEMPLATES_SOURCE_H

#include <dirent.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define SOURCE_SIZE_MAX (256 * 1024)

struct source {
    char *path;
    char *text; // NUL-terminated behind size
    size_t size;
    struct source_key *keys; // once parsed: those of all objects, as they come
    size_t key_count;
};

// Reads dir/name, which has to be UTF-8 without NUL; a byte order mark in front is left out. False
// when that failed, and a fault says why. Release with source_finish().
bool source_read(const char *dir, const char *name, struct source *ret_source, json_t *faults);
void source_finish(struct source *source);

// For scandir(): whoever put this file there meant a JSON file, be it named as such ("hu.json") or
// nearly so ("hu.JSON", "hu.json.txt"). Not hidden ones, nor what editors keep ("hu.json~").
int source_is_meant_as_json(const struct dirent *entry);
// "hu.json", and nothing but that.
bool source_is_named_json(const char *name);

// Reads the text as a JSON object without duplicate keys; the caller owns it. NULL and a fault
// when it is none.
json_t *source_parse(struct source *source, json_t *faults);

// The line of the innermost of these keys that the parsed text has: each within the value of the
// one before, NULL behind the last. 1 where not even the first is there. A key that is written
// with escapes is not found; the line is then that of the key around it.
size_t source_line_of(const struct source *source, const char *const *keys);

#define AUTO_SOURCE __attribute__((cleanup(source_finish)))

#endif
