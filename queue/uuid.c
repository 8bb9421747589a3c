#include "queue/uuid.h"

#include <sodium.h>
#include <stdio.h>

#define COUNTER_BITS 12
#define COUNTER_MAX 0xfff
// A new millisecond starts in the lower half, which leaves room to count up.
#define COUNTER_START_MASK 0x7ff

void uuid_source_init(struct uuid_source *source)
{
    *source = (struct uuid_source){.last_ms = INT64_MIN};
    pthread_mutex_init(&source->mutex, NULL);
}

void uuid_source_finish(struct uuid_source *source)
{
    pthread_mutex_destroy(&source->mutex);
}

static void take_number(struct uuid_source *source, int64_t now_ms, uint16_t start, int64_t *ret_ms,
                        uint16_t *ret_counter)
{
    pthread_mutex_lock(&source->mutex);
    if (now_ms > source->last_ms) {
        source->last_ms = now_ms;
        source->counter = start;
    } else if (source->counter < COUNTER_MAX) {
        source->counter++;
    } else {
        source->last_ms++;
        source->counter = start;
    }
    *ret_ms = source->last_ms;
    *ret_counter = source->counter;
    pthread_mutex_unlock(&source->mutex);
}

void uuid_next(struct uuid_source *source, int64_t now_ms, char ret_text[UUID_TEXT_SIZE])
{
    uint8_t bytes[16];
    randombytes_buf(bytes + 6, sizeof(bytes) - 6);
    uint16_t start = (uint16_t)((bytes[6] << 8 | bytes[7]) & COUNTER_START_MASK);
    int64_t ms;
    uint16_t counter;
    take_number(source, now_ms, start, &ms, &counter);
    for (int i = 0; i < 6; i++)
        bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
    bytes[6] = (uint8_t)(0x70 | counter >> 8);
    bytes[7] = (uint8_t)counter;
    bytes[8] = (uint8_t)(0x80 | (bytes[8] & 0x3f));

    static const char DIGITS[] = "0123456789abcdef";
    char *to = ret_text;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        *to++ = DIGITS[bytes[i] >> 4];
        *to++ = DIGITS[bytes[i] & 15];
    }
    *to = '\0';
}

void uuid_first_of(int64_t number, char ret_text[UUID_TEXT_SIZE])
{
    uint64_t ms = (uint64_t)number >> COUNTER_BITS;
    snprintf(ret_text, UUID_TEXT_SIZE, "%08x-%04x-7%03x-8000-000000000000", (unsigned)(ms >> 16),
             (unsigned)(ms & 0xffff), (unsigned)(number & COUNTER_MAX));
}

bool uuid_number(const char *text, int64_t *ret_number)
{
    static const char SHAPE[] = "xxxxxxxx-xxxx-7xxx-xxxx-xxxxxxxxxxxx";
    uint64_t number = 0;
    for (size_t i = 0; i < sizeof(SHAPE); i++) {
        char c = text[i];
        if (SHAPE[i] != 'x') {
            if (c != SHAPE[i])
                return false;
            continue;
        }
        bool is_digit = c >= '0' && c <= '9';
        if (!is_digit && !(c >= 'a' && c <= 'f'))
            return false;
        if (i < 18) // up to the end of rand_a
            number = number << 4 | (uint64_t)(is_digit ? c - '0' : c - 'a' + 10);
    }
    *ret_number = (int64_t)number;
    return true;
}

void uuid_source_skip(struct uuid_source *source, int64_t number)
{
    pthread_mutex_lock(&source->mutex);
    source->last_ms = number >> COUNTER_BITS;
    source->counter = (uint16_t)(number & COUNTER_MAX);
    pthread_mutex_unlock(&source->mutex);
}
