// uuid.h - UUIDv7 (RFC 9562 §5.7) whose text ascends in the order they were made.
#ifndef QUEUE_UUID_H
#define QUEUE_UUID_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define UUID_TEXT_SIZE 37

struct uuid_source {
    pthread_mutex_t mutex;
    int64_t last_ms;
    uint16_t counter; // 12 bits in rand_a, RFC 9562 §6.2 method 1
};

void uuid_source_init(struct uuid_source *source);
void uuid_source_finish(struct uuid_source *source);

// now_ms: the time that goes in. Where it stands still or goes back, or a millisecond has no
// number left, the ids run ahead of it. Any thread.
void uuid_next(struct uuid_source *source, int64_t now_ms, char ret_text[UUID_TEXT_SIZE]);

// The 60 bits in front, time and counter: no two ids of one source have the same, and they
// ascend as the ids do. False where text is no UUIDv7 in lower case.
bool uuid_number(const char *text, int64_t *ret_number);
// An id that has this number, be it one of a message or not.
void uuid_first_of(int64_t number, char ret_text[UUID_TEXT_SIZE]);
// All ids from now on have greater numbers than this.
void uuid_source_skip(struct uuid_source *source, int64_t number);

#endif
