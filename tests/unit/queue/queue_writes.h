// queue_writes.h - writes that wait for their end.
#ifndef TESTS_UNIT_QUEUE_QUEUE_WRITES_H
#define TESTS_UNIT_QUEUE_QUEUE_WRITES_H

#include "queue_folder.h"

struct outcome {
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    int count;
    enum queue_result result;
    char id[QUEUE_ID_SIZE];
    enum message_state state; // of an act
};
#define OUTCOME_INIT                                                                               \
    {                                                                                              \
        .mutex = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER                      \
    }

static inline void outcome_done(void *context, enum queue_result result, const char *id)
{
    struct outcome *outcome = context;
    pthread_mutex_lock(&outcome->mutex);
    outcome->result = result;
    snprintf(outcome->id, sizeof(outcome->id), "%s", id);
    outcome->count++;
    pthread_cond_signal(&outcome->ended);
    pthread_mutex_unlock(&outcome->mutex);
}

static inline void outcome_acted(void *context, const struct queue_acted *acted)
{
    ((struct outcome *)context)->state = acted->state; // nobody looks before it is told
    outcome_done(context, acted->result, acted->id);
}

static inline enum queue_result outcome_wait(struct outcome *outcome)
{
    pthread_mutex_lock(&outcome->mutex);
    while (outcome->count == 0)
        pthread_cond_wait(&outcome->ended, &outcome->mutex);
    pthread_mutex_unlock(&outcome->mutex);
    return outcome->result;
}

// Accepts a payload now, on the route "/kratos/webhook"; ret_id (may be NULL) is what done said.
static inline enum queue_result accept_at(struct queue *queue, const char *payload,
                                          int64_t received_ms, char ret_id[QUEUE_ID_SIZE])
{
    struct outcome outcome = OUTCOME_INIT;
    char id[QUEUE_ID_SIZE];
    queue_new_id(queue, id);
    const struct queue_accept accept = {.id = id,
                                        .route = "/kratos/webhook",
                                        .key_name = "kratos",
                                        .payload = payload,
                                        .payload_size = strlen(payload),
                                        .received_ms = received_ms};
    queue_accept(queue, &accept, outcome_done, &outcome);
    enum queue_result result = outcome_wait(&outcome);
    if (ret_id)
        memcpy(ret_id, outcome.id, QUEUE_ID_SIZE);
    return result;
}

static inline enum queue_result accept_now(struct queue *queue, const char *payload,
                                           char ret_id[QUEUE_ID_SIZE])
{
    return accept_at(queue, payload, queue_now_ms(queue), ret_id);
}

static inline enum queue_result settle(struct queue *queue, const char *id,
                                       const struct queue_settlement *settlement)
{
    struct outcome outcome = OUTCOME_INIT;
    queue_settle(queue, id, settlement, outcome_done, &outcome);
    return outcome_wait(&outcome);
}

static inline enum queue_result settle_as(struct queue *queue, const char *id,
                                          enum message_state state, const char *reason)
{
    return settle(queue, id, &(struct queue_settlement){.state = state, .reason = reason});
}

static inline enum queue_result claim(struct queue *queue, const char *id, const char *owner)
{
    struct outcome outcome = OUTCOME_INIT;
    queue_claim(queue, id, owner, queue_now_ms(queue) + MINUTE_MS, outcome_done, &outcome);
    return outcome_wait(&outcome);
}

static inline enum queue_result compose(struct queue *queue, const char *id,
                                        const struct queue_mail *mails, size_t count)
{
    struct outcome outcome = OUTCOME_INIT;
    queue_compose(queue, id, mails, count, outcome_done, &outcome);
    return outcome_wait(&outcome);
}

// ret_state (may be NULL): what the message is in now.
static inline enum queue_result act(struct queue *queue, enum queue_act what, const char *id,
                                    enum message_state *ret_state)
{
    struct outcome outcome = OUTCOME_INIT;
    queue_act(queue, what, id, outcome_acted, &outcome);
    enum queue_result result = outcome_wait(&outcome);
    assert_string_equal(outcome.id, id);
    if (ret_state)
        *ret_state = outcome.state;
    return result;
}

#endif
