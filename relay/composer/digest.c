#include "relay/composer/digest.h"

#include <glib.h>
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

// jansson hands over a few bytes at a time; GChecksum gathers them into blocks itself.
static int update(const char *data, size_t size, void *checksum)
{
    g_checksum_update(checksum, (const guchar *)data, (gssize)size);
    return 0;
}

bool digest_json(const json_t *document, char ret_hex[DIGEST_HEX_SIZE], struct error *err)
{
    GChecksum *checksum = g_checksum_new(G_CHECKSUM_SHA256);
    if (json_dump_callback(document, update, checksum, JSON_COMPACT | JSON_SORT_KEYS) != 0) {
        g_checksum_free(checksum);
        return error_set(err, ERR_TEMPORARY, "cannot digest a payload: no memory");
    }
    finish(checksum, ret_hex);
    return true;
}
