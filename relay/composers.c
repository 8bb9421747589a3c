#include "relay/composers.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "relay/base/clock.h"
#include "relay/child.h"

enum {
    COMPOSERS_MAX = 2,
    NORMALISER_LIMIT_MS = 1000,
    // Without an operator's and a stranger's text at work together only a starved machine is slow.
    RENDER_LIMIT_MS = 5000,
    READY_LIMIT_MS = 10000,
    // A second composer costs a tenth of our memory, so it starts only when one is not enough,
    // and ends when it has had nothing to do for a while.
    SECOND_AFTER_MS = 50,
    SECOND_IDLE_MS = 10000,
    RESTART_FIRST_MS = 20,
    RESTART_MAX_MS = 5000,
};

enum composer_state { COMPOSER_NONE, COMPOSER_LOADING, COMPOSER_IDLE, COMPOSER_BUSY };

struct composer {
    struct composers *owner;
    enum composer_state state;
    struct child *child;
    struct compose_request *request; // BUSY; NULL: forgotten meanwhile
    int64_t limit_ms;                // LOADING, BUSY: when it is killed
    int64_t idle_since_ms;
    int64_t start_at_ms; // NONE: not before
    int64_t pause_ms;    // grows with each death before any work was done
};

struct composers {
    struct event_loop *loop;
    char *program;
    json_t *init;
    struct composers_handlers handlers;
    struct composer slots[COMPOSERS_MAX];
    struct compose_request *waiting, **waiting_end;
    json_t *faults; // of a composer that could not load
};

static void start(struct composer *composer);
static void assign(struct composers *composers);

static json_t *request_header(const struct compose_request *request)
{
    json_int_t elapsed_ms = clock_boot_ms() - request->received_boot_ms;
    json_t *header = json_pack(
        "{s:s, s:s, s:I, s:I}", "op", request->task == COMPOSE_RENDER ? "render" : "compose", "id",
        request->id, "elapsed_ms", elapsed_ms, "wall_ms", (json_int_t)clock_wall_ms());
    if (header && request->route && request->task != COMPOSE_RENDER)
        json_object_set_new(header, "route", json_string(request->route));
    if (header && request->task == COMPOSE_FALLBACK)
        json_object_set_new(header, "fallback", json_true());
    return header;
}

static void tell(struct composer *composer, enum compose_end end, const json_t *header,
                 const struct frame *frame)
{
    struct compose_request *request = composer->request;
    composer->request = NULL;
    if (request)
        composer->owner->handlers.done(composer->owner->handlers.context, request, end, header,
                                       frame);
}

static void on_frame(void *context, const struct json_t *header, const struct frame *frame)
{
    struct composer *composer = context;
    const char *op = json_string_value(json_object_get(header, "op"));
    if (composer->state == COMPOSER_LOADING && op && strcmp(op, "ready") == 0) {
        composer->state = COMPOSER_IDLE;
        composer->idle_since_ms = clock_boot_ms();
        assign(composer->owner);
        return;
    }
    if (composer->state == COMPOSER_LOADING && op && strcmp(op, "faults") == 0) {
        json_decref(composer->owner->faults);
        composer->owner->faults = json_incref(json_object_get(header, "faults"));
        return; // it ends now, by itself
    }
    bool is_composed = op && strcmp(op, "composed") == 0;
    if (composer->state != COMPOSER_BUSY || (!is_composed && (!op || strcmp(op, "failed") != 0))) {
        child_kill(composer->child); // it says what nobody asked: it is not itself any more
        return;
    }
    composer->state = COMPOSER_IDLE;
    composer->idle_since_ms = clock_boot_ms();
    composer->pause_ms = 0;
    // The next request goes out before the answer is worked on, so that both work at once; but
    // the request that is told of now must be out of the way first.
    struct compose_request *request = composer->request;
    composer->request = NULL;
    assign(composer->owner);
    if (request)
        composer->owner->handlers.done(composer->owner->handlers.context, request,
                                       is_composed ? COMPOSED : COMPOSE_FAILED, header, frame);
}

static void lengthen_pause(struct composer *composer)
{
    composer->pause_ms = composer->pause_ms ? composer->pause_ms * 2 : RESTART_FIRST_MS;
    if (composer->pause_ms > RESTART_MAX_MS)
        composer->pause_ms = RESTART_MAX_MS;
}

static void on_end(void *context, const struct error *err)
{
    struct composer *composer = context;
    bool was_busy = composer->state == COMPOSER_BUSY;
    child_destroy(composer->child);
    composer->child = NULL;
    composer->state = COMPOSER_NONE;

    // What a payload kills comes back at once; what dies by itself comes back ever more slowly.
    if (!was_busy)
        lengthen_pause(composer);
    composer->start_at_ms = clock_boot_ms() + composer->pause_ms;
    if (!was_busy) {
        struct error told = *err;
        json_t *fault = json_array_get(composer->owner->faults, 0);
        if (fault)
            error_set(&told, ERR_INPUT, "%s: %s",
                      json_string_value(json_object_get(fault, "where")),
                      json_string_value(json_object_get(fault, "what")));
        composer->owner->handlers.trouble(composer->owner->handlers.context, &told);
    }
    tell(composer, COMPOSE_DIED, NULL, NULL);
    if (composer == &composer->owner->slots[0] && composer->state == COMPOSER_NONE &&
        composer->pause_ms == 0)
        start(composer);
}

static void start(struct composer *composer)
{
    struct composers *composers = composer->owner;
    struct error err = {0};
    composer->child =
        child_start(composers->loop, composers->program, NULL, 0, on_frame, on_end, composer, &err);
    if (composer->child && child_send(composer->child, composers->init, NULL, 0, &err)) {
        composer->state = COMPOSER_LOADING;
        composer->limit_ms = clock_boot_ms() + READY_LIMIT_MS;
        return;
    }
    child_destroy(composer->child);
    composer->child = NULL;
    lengthen_pause(composer);
    composer->start_at_ms = clock_boot_ms() + composer->pause_ms;
    composers->handlers.trouble(composers->handlers.context, &err);
}

static bool send_request(struct composer *composer, struct compose_request *request)
{
    json_auto_t *header = request_header(request);
    struct frame_blob blob = {request->blob, request->blob_size};
    if (!header || !child_send(composer->child, header, &blob, 1, NULL))
        return false;
    composer->state = COMPOSER_BUSY;
    composer->request = request;
    composer->limit_ms = clock_boot_ms() +
                         (request->task == COMPOSE_PAYLOAD ? NORMALISER_LIMIT_MS : RENDER_LIMIT_MS);
    return true;
}

// Gives what waits to whoever is idle, oldest first.
static void assign(struct composers *composers)
{
    for (size_t i = 0; i < COMPOSERS_MAX && composers->waiting; i++) {
        struct composer *composer = &composers->slots[i];
        if (composer->state != COMPOSER_IDLE)
            continue;
        struct compose_request *request = composers->waiting;
        composers->waiting = request->next;
        if (!composers->waiting)
            composers->waiting_end = &composers->waiting;
        // Too large for a frame: as if it had killed the composer, so it falls back and parks.
        if (!send_request(composer, request))
            composers->handlers.done(composers->handlers.context, request, COMPOSE_DIED, NULL,
                                     NULL);
    }
}

struct composers *composers_create(struct event_loop *loop, const char *program, const json_t *init,
                                   const struct composers_handlers *handlers, json_t **ret_faults,
                                   struct error *err)
{
    struct composers *composers = calloc(1, sizeof(*composers));
    if (!composers) {
        error_set(err, ERR_TEMPORARY, "composers: no memory");
        return NULL;
    }
    *composers = (struct composers){.loop = loop,
                                    .program = strdup(program),
                                    .init = json_deep_copy(init),
                                    .handlers = *handlers};
    if (!composers->program || !composers->init) {
        error_set(err, ERR_TEMPORARY, "composers: no memory");
        composers_destroy(composers);
        return NULL;
    }
    composers->waiting_end = &composers->waiting;
    for (size_t i = 0; i < COMPOSERS_MAX; i++)
        composers->slots[i].owner = composers;

    struct composer *first = &composers->slots[0];
    start(first);
    while (first->state == COMPOSER_LOADING && clock_boot_ms() < first->limit_ms)
        if (!event_loop_wait(loop, (int)(first->limit_ms - clock_boot_ms()), err))
            break;
    if (first->state == COMPOSER_IDLE)
        return composers;

    json_t *fault = json_array_get(composers->faults, 0);
    if (fault)
        error_set(err, ERR_INPUT, "%s: %s", json_string_value(json_object_get(fault, "where")),
                  json_string_value(json_object_get(fault, "what")));
    else
        error_set(err, ERR_IO, "%s does not start", program);
    if (ret_faults)
        *ret_faults = json_incref(composers->faults);
    composers_destroy(composers);
    return NULL;
}

void composers_destroy(struct composers *composers)
{
    if (!composers)
        return;
    for (size_t i = 0; i < COMPOSERS_MAX; i++)
        child_destroy(composers->slots[i].child);
    json_decref(composers->faults);
    json_decref(composers->init);
    free(composers->program);
    free(composers);
}

void composers_submit(struct composers *composers, struct compose_request *request)
{
    request->next = NULL;
    request->waiting_since_ms = clock_boot_ms();
    *composers->waiting_end = request;
    composers->waiting_end = &request->next;
    assign(composers);
}

void composers_forget(struct composers *composers, struct compose_request *request)
{
    for (size_t i = 0; i < COMPOSERS_MAX; i++)
        if (composers->slots[i].request == request)
            composers->slots[i].request = NULL;
    for (struct compose_request **link = &composers->waiting; *link; link = &(*link)->next) {
        if (*link != request)
            continue;
        *link = request->next;
        if (!*link)
            composers->waiting_end = link;
        return;
    }
}

static bool second_is_needed(const struct composers *composers, int64_t now_ms)
{
    return composers->waiting && now_ms >= composers->waiting->waiting_since_ms + SECOND_AFTER_MS;
}

void composers_tick(struct composers *composers, int64_t now_ms)
{
    for (size_t i = 0; i < COMPOSERS_MAX; i++) {
        struct composer *composer = &composers->slots[i];
        switch (composer->state) {
        case COMPOSER_NONE:
            if (now_ms >= composer->start_at_ms && (i == 0 || second_is_needed(composers, now_ms)))
                start(composer);
            break;
        case COMPOSER_LOADING:
        case COMPOSER_BUSY:
            if (now_ms >= composer->limit_ms) {
                child_kill(composer->child);
                composer->limit_ms = INT64_MAX;
            }
            break;
        case COMPOSER_IDLE:
            if (i > 0 && now_ms >= composer->idle_since_ms + SECOND_IDLE_MS) {
                child_destroy(composer->child);
                composer->child = NULL;
                composer->state = COMPOSER_NONE;
            }
            break;
        }
    }
}

int64_t composers_next_ms(const struct composers *composers)
{
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < COMPOSERS_MAX; i++) {
        const struct composer *composer = &composers->slots[i];
        int64_t at = INT64_MAX;
        switch (composer->state) {
        case COMPOSER_NONE:
            if (i == 0)
                at = composer->start_at_ms;
            else if (composers->waiting)
                at = composers->waiting->waiting_since_ms + SECOND_AFTER_MS;
            if (at < composer->start_at_ms)
                at = composer->start_at_ms;
            break;
        case COMPOSER_LOADING:
        case COMPOSER_BUSY:
            at = composer->limit_ms;
            break;
        case COMPOSER_IDLE:
            if (i > 0)
                at = composer->idle_since_ms + SECOND_IDLE_MS;
            break;
        }
        if (at < next)
            next = at;
    }
    return next;
}
