#include "relay/intake.h"

#include <stdlib.h>
#include <string.h>

#include "queue/queue.h"
#include "relay/base/clock.h"
#include "relay/dispatch/dispatcher.h"
#include "relay/metrics.h"

// A payload between its hand-over to the queue and its commit.
struct arrival {
    const struct intake *intake;
    struct http_exchange *exchange;
    char id[QUEUE_ID_SIZE];
    int64_t submitted_us;
};

// In the queue's writer thread.
static void on_committed(void *context, enum queue_result result, const char *id)
{
    struct arrival *arrival = context;
    int64_t took_us = clock_boot_us() - arrival->submitted_us;
    switch (result) {
    case QUEUE_DONE:
        http_answer(arrival->exchange, HTTP_ACCEPTED, id);
        break;
    case QUEUE_DUPLICATE:
        http_answer(arrival->exchange, HTTP_DUPLICATE, id);
        break;
    case QUEUE_GONE:
    case QUEUE_REFUSED:
    case QUEUE_WRONG_STATE:
    case QUEUE_BODY_DROPPED:
    case QUEUE_TOO_LATE:
        http_answer(arrival->exchange, HTTP_UNAVAILABLE, NULL);
        break;
    }
    // By our own id: that of a duplicate names the first one.
    dispatcher_committed(arrival->intake->dispatcher, arrival->id, result);
    if (result == QUEUE_DONE)
        metrics_committed(took_us);
    free(arrival);
}

// What RFC 8259 §2 calls white space; a byte order mark is none.
static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Does it begin with a bracket and end with its counterpart? More is the composer's to judge:
// Kratos would repeat what is refused here, 300 times if told so.
static bool looks_like_json(const char *payload, size_t size)
{
    while (size > 0 && is_space(payload[size - 1]))
        size--;
    while (size > 0 && is_space(*payload)) {
        payload++;
        size--;
    }
    return size >= 2 && ((payload[0] == '{' && payload[size - 1] == '}') ||
                         (payload[0] == '[' && payload[size - 1] == ']'));
}

static void intake_accept(void *context, struct http_exchange *exchange,
                          const struct http_post *post)
{
    const struct intake *intake = context;
    if (!atomic_load(&intake->is_open)) {
        http_answer(exchange, HTTP_UNAVAILABLE, NULL);
        return;
    }
    if (post->payload_size == 0) {
        http_answer(exchange, HTTP_EMPTY, NULL);
        return;
    }
    if (!looks_like_json(post->payload, post->payload_size)) {
        http_answer(exchange, HTTP_NOT_JSON, NULL);
        return;
    }
    if (!queue_writable(intake->queue)) { // it would be composed, to be refused then
        http_answer(exchange, HTTP_UNAVAILABLE, NULL);
        return;
    }
    struct arrival *arrival = malloc(sizeof(*arrival));
    if (!arrival) {
        http_answer(exchange, HTTP_UNAVAILABLE, NULL);
        return;
    }
    *arrival = (struct arrival){.intake = intake, .exchange = exchange};
    queue_new_id(intake->queue, arrival->id);
    const struct queue_accept accept = {.id = arrival->id,
                                        .route = post->route,
                                        .key_name = post->key_name,
                                        .trace_id = post->trace_id,
                                        .payload = post->payload,
                                        .payload_size = post->payload_size,
                                        .received_ms = queue_now_ms(intake->queue)};
    // Composing begins while the commit runs; both copy the payload. Once the queue has it,
    // arrival and exchange may be gone at any moment.
    dispatcher_offer(intake->dispatcher, &accept);
    arrival->submitted_us = clock_boot_us();
    queue_accept(intake->queue, &accept, on_committed, arrival);
}

static bool intake_ready(void *context)
{
    const struct intake *intake = context;
    return atomic_load(&intake->is_open) && queue_writable(intake->queue);
}

void intake_open(struct intake *intake, struct queue *queue, struct dispatcher *dispatcher)
{
    intake->queue = queue;
    intake->dispatcher = dispatcher;
    atomic_store(&intake->is_open, true);
}

struct http_handlers intake_handlers(struct intake *intake)
{
    return (struct http_handlers){
        .accept = intake_accept, .ready = intake_ready, .context = intake};
}
