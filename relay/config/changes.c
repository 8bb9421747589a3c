// Which settings differ between two readings of the configuration: told by fingerprints, so that
// a secret need not be kept for it.
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "relay/config/parts.h"

enum { FINGERPRINT_SIZE = crypto_generichash_BYTES };

struct config_fingerprints {
    uint8_t key[crypto_generichash_KEYBYTES]; // of this process: they are of no use elsewhere
    uint8_t of[SETTING_COUNT][FINGERPRINT_SIZE];
};

struct config_fingerprints *config_fingerprints_create(const struct config_fingerprints *like)
{
    struct config_fingerprints *prints = sodium_init() < 0 ? NULL : calloc(1, sizeof(*prints));
    if (prints && like)
        memcpy(prints->key, like->key, sizeof(prints->key));
    else if (prints)
        crypto_generichash_keygen(prints->key);
    return prints;
}

void config_fingerprints_destroy(struct config_fingerprints *prints)
{
    if (prints)
        sodium_memzero(prints, sizeof(*prints));
    free(prints);
}

void config_fingerprints_take(struct config_fingerprints *prints, size_t number, const char *text)
{
    // With its NUL, so that an empty text is another than none, which stays zero.
    if (text)
        crypto_generichash(prints->of[number], FINGERPRINT_SIZE, (const uint8_t *)text,
                           strlen(text) + 1, prints->key, sizeof(prints->key));
}

const char *config_next_change(const struct config *before, const struct config *after,
                               size_t *number, bool *ret_reloads)
{
    while (*number < SETTING_COUNT) {
        size_t i = (*number)++;
        if (memcmp(before->fingerprints->of[i], after->fingerprints->of[i], FINGERPRINT_SIZE) == 0)
            continue;
        *ret_reloads = config_settings[i].reloads;
        return config_settings[i].name;
    }
    return NULL;
}
