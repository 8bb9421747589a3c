#include "queue/seal.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/buffer.h"

#define VERSION 1
#define NONCE_SIZE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_SIZE crypto_aead_xchacha20poly1305_ietf_ABYTES
#define HEADER_SIZE (1 + KEYS_ID_SIZE)
#define OVERHEAD (HEADER_SIZE + NONCE_SIZE + TAG_SIZE)
#define BINDING_MAX 4096

static void append_int(struct buffer *to, int64_t value)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)value >> (8 * i));
    buffer_append(to, bytes, sizeof(bytes));
}

// Fixed sizes first and a NUL behind each text, so that no two bindings give the same bytes.
static void append_binding(struct buffer *to, const uint8_t *header,
                           const struct seal_binding *binding)
{
    buffer_append(to, header, HEADER_SIZE);
    append_int(to, binding->form);
    append_int(to, binding->created_ms);
    append_int(to, binding->deadline_ms);
    buffer_append(to, binding->id, strlen(binding->id) + 1);
    buffer_puts(to, binding->recipient ? binding->recipient : "");
}

void *seal_make(const struct keys *keys, const struct seal_binding *binding, const void *body,
                size_t size, size_t *ret_size)
{
    uint8_t *sealed = malloc(size + OVERHEAD);
    if (!sealed)
        return NULL;
    sealed[0] = VERSION;
    const struct ring_key *key = keys_first(keys);
    memcpy(sealed + 1, key->id, KEYS_ID_SIZE);
    uint8_t *nonce = sealed + HEADER_SIZE;
    randombytes_buf(nonce, NONCE_SIZE);
    AUTO_BUFFER struct buffer bound;
    buffer_init(&bound, BINDING_MAX);
    append_binding(&bound, sealed, binding);
    if (bound.failed) {
        free(sealed);
        return NULL;
    }
    crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + NONCE_SIZE, NULL, body, size,
                                               (const uint8_t *)bound.data, bound.size, NULL, nonce,
                                               key->secret);
    *ret_size = size + OVERHEAD;
    return sealed;
}

static bool is_record(const uint8_t *record, size_t size)
{
    return size >= OVERHEAD && record[0] == VERSION;
}

const struct ring_key *seal_key(const struct keys *keys, const void *sealed, size_t sealed_size)
{
    const uint8_t *record = sealed;
    return is_record(record, sealed_size) ? keys_find(keys, record + 1) : NULL;
}

static enum seal_fault decrypt(const struct ring_key *key, const struct seal_binding *binding,
                               const uint8_t *record, size_t size, char **ret_body)
{
    AUTO_BUFFER struct buffer bound;
    buffer_init(&bound, BINDING_MAX);
    append_binding(&bound, record, binding);
    char *body = malloc(size + 1);
    if (!body || bound.failed) {
        free(body);
        return SEAL_NO_MEMORY;
    }
    const uint8_t *nonce = record + HEADER_SIZE;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt((uint8_t *)body, NULL, NULL, nonce + NONCE_SIZE,
                                                   size + TAG_SIZE, (const uint8_t *)bound.data,
                                                   bound.size, nonce, key->secret) != 0) {
        free(body); // nothing was written there: the tag is checked first
        return SEAL_DAMAGED;
    }
    body[size] = '\0';
    *ret_body = body;
    return SEAL_FINE;
}

char *seal_open(const struct keys *keys, const struct seal_binding *binding, const void *sealed,
                size_t sealed_size, size_t *ret_size, enum seal_fault *ret_fault)
{
    char *body = NULL;
    enum seal_fault fault = SEAL_DAMAGED;
    if (is_record(sealed, sealed_size)) {
        const struct ring_key *key = seal_key(keys, sealed, sealed_size);
        size_t size = sealed_size - OVERHEAD;
        fault = key ? decrypt(key, binding, sealed, size, &body) : SEAL_UNKNOWN_KEY;
        if (body)
            *ret_size = size;
    }
    if (ret_fault)
        *ret_fault = fault;
    return body;
}
