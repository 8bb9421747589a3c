#include "relay/composer/digest.h"

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static void finish(GChecksum *checksum, char ret_hex[DIGEST_HEX_SIZE])
{
    memcpy(ret_hex, g_checksum_get_string(checksum), DIGEST_HEX_SIZE);
    g_checksum_free(checksum);
}

void digest_parts(const struct digest_part *parts, size_t count, char ret_hex[DIGEST_HEX_SIZE])
{
    GChecksum *checksum = g_checksum_new(G_CHECKSUM_SHA256);
    for (size_t i = 0; i < count; i++) {
        g_checksum_update(checksum, (const guchar *)parts[i].text, (gssize)parts[i].size);
        g_checksum_update(checksum, (const guchar *)"", 1);
    }
    finish(checksum, ret_hex);
}

// What a value's bytes begin with, so that no two documents give the same ones. Strings end with
// their NUL: payload_parse() leaves none within.
static void add(GChecksum *checksum, char kind, const char *text, size_t size)
{
    g_checksum_update(checksum, (const guchar *)&kind, 1);
    g_checksum_update(checksum, (const guchar *)text, (gssize)size);
}

static bool is_one_of(const char *key, const char *const *keys)
{
    for (; keys && *keys; keys++) {
        if (strcmp(key, *keys) == 0)
            return true;
    }
    return false;
}

// Not by way of json_dump_callback(), which takes three times as long. without is for the
// outermost object. No deeper than PAYLOAD_DEPTH_MAX.
static void add_value(GChecksum *checksum, json_t *value, const char *const *without)
{
    char number[32];
    const char *key;
    size_t index;
    json_t *member;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        add(checksum, '{', "", 0);
        json_object_foreach(value, key, member)
        {
            if (is_one_of(key, without))
                continue;
            add(checksum, 'k', key, strlen(key) + 1);
            add_value(checksum, member, NULL);
        }
        add(checksum, '}', "", 0);
        break;
    case JSON_ARRAY:
        add(checksum, '[', "", 0);
        json_array_foreach(value, index, member) add_value(checksum, member, NULL);
        add(checksum, ']', "", 0);
        break;
    case JSON_STRING:
        add(checksum, 's', json_string_value(value), json_string_length(value) + 1);
        break;
    case JSON_INTEGER:
        snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
        add(checksum, 'i', number, strlen(number) + 1);
        break;
    case JSON_REAL:
        snprintf(number, sizeof(number), "%.17g", json_real_value(value));
        add(checksum, 'r', number, strlen(number) + 1);
        break;
    case JSON_TRUE:
        add(checksum, 't', "", 0);
        break;
    case JSON_FALSE:
        add(checksum, 'f', "", 0);
        break;
    case JSON_NULL:
        add(checksum, 'n', "", 0);
        break;
    }
}

void digest_json(json_t *document, const char *const *without, char ret_hex[DIGEST_HEX_SIZE])
{
    GChecksum *checksum = g_checksum_new(G_CHECKSUM_SHA256);
    add_value(checksum, document, without);
    finish(checksum, ret_hex);
}
