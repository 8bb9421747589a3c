#include "relay/children/composers.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/children/composer_child.h"
#include "relay/children/composer_trial.h"
#include "relay/metrics.h"

enum {
    COMPOSERS_MAX = 2,
    NORMALISER_LIMIT_MS = 1000,
    // A good normaliser takes a few. What asks one that is down takes no more of anybody's time.
    LAST_RESORT_LIMIT_MS = 200,
    // Without an operator's and a stranger's text at work together only a starved machine is slow.
    RENDER_LIMIT_MS = 5000,
    // A second composer costs a quarter of our memory, so it starts only when one is not enough,
    // and ends when it has had nothing to do for a while.
    SECOND_AFTER_MS = 50,
    SECOND_ANYWAY_MS = 500,    // ... whatever that one does meanwhile
    SECOND_SHARE_PERCENT = 90, // of a processor
    SECOND_IDLE_MS = 10000,
    RESTART_FIRST_MS = 20,
    RESTART_MAX_MS = 5000,
};

struct slot {
    struct composers *owner;
    struct composer_child *composer; // NULL: none
    struct compose_request *request; // while it is BUSY; NULL: forgotten meanwhile
    int64_t asked_ms, asked_us;      // CLOCK_BOOTTIME: when it was given that
    int64_t start_at_ms;             // without a composer: not before
    int64_t pause_ms;                // grows with each death before any work was done
};

struct composers {
    struct event_loop *loop;
    char *program;
    json_t *init;
    struct composers_handlers handlers;
    struct slot slots[COMPOSERS_MAX];
    struct slot leaving[COMPOSERS_MAX]; // from before a reload, at their last request
    struct compose_line waiting;
    int64_t looked_ms, looked_cpu_ms; // when first_is_not_enough() was asked last, and what it saw
    json_t *faults;                   // of a composer that could not load
    json_t *last_ready;               // the frame that the confinement was last told of
    bool is_starting;                 // composers_create() has not returned

    struct composer_trial *trial; // a reload under way
    composers_reload_fn *reload_done;
    void *reload_context;
};

static void start(struct slot *slot);
static void assign(struct composers *composers);

// ---- what a composer says ---------------------------------------------------------------------

// The request that the slot's composer was at; none where it was forgotten.
static struct compose_request *finish_request(struct slot *slot)
{
    struct compose_request *request = slot->request;
    slot->request = NULL;
    if (request)
        metrics_composer_answered(request->task, clock_boot_us() - slot->asked_us);
    if (request && request->task == COMPOSE_PAYLOAD)
        request->spent_ms +=
            composer_child_cost_ms(slot->composer, clock_boot_ms() - slot->asked_ms);
    return request;
}

static void tell(struct composers *composers, struct compose_request *request, enum compose_end end,
                 const json_t *header, const struct frame *frame)
{
    if (request)
        composers->handlers.done(composers->handlers.context, request, end, header, frame);
}

static bool is_composed(const json_t *header)
{
    return strcmp(json_string_value(json_object_get(header, "op")), "composed") == 0;
}

static void tell_confinement(struct composers *composers, const json_t *ready)
{
    const json_t *in_force = json_object_get(ready, "confinement");
    const json_t *missing = json_object_get(ready, "unconfined");
    if (!ready || (composers->last_ready && json_equal(composers->last_ready, ready)))
        return;
    json_decref(composers->last_ready);
    composers->last_ready = json_deep_copy(ready);
    composers->handlers.confined(composers->handlers.context, in_force, missing);
}

static void on_ready(void *context)
{
    struct slot *slot = context;
    tell_confinement(slot->owner, slot->composer->ready);
    assign(slot->owner);
}

static void on_answered(void *context, const json_t *header, const struct frame *frame)
{
    struct slot *slot = context;
    struct composers *composers = slot->owner;
    struct compose_request *request = finish_request(slot);
    slot->pause_ms = 0;
    if (is_composed(header)) {
        // The next request goes out before the answer is worked on, so that both work at once.
        assign(composers);
        tell(composers, request, COMPOSED, header, frame);
    } else {
        // What is decided about this one may concern the next one.
        tell(composers, request, COMPOSE_FAILED, header, frame);
        assign(composers);
    }
}

static void lengthen_pause(struct slot *slot)
{
    slot->pause_ms = slot->pause_ms ? slot->pause_ms * 2 : RESTART_FIRST_MS;
    if (slot->pause_ms > RESTART_MAX_MS)
        slot->pause_ms = RESTART_MAX_MS;
    slot->start_at_ms = clock_boot_ms() + slot->pause_ms;
}

static void on_ended(void *context, const struct error *err)
{
    struct slot *slot = context;
    struct composers *composers = slot->owner;
    struct composer_child *composer = slot->composer;
    bool was_busy = composer->state == COMPOSER_BUSY;
    enum compose_end end = composer->timed_out ? COMPOSE_TIMED_OUT : COMPOSE_DIED;
    if (composer->faults) {
        json_decref(composers->faults);
        composers->faults = json_incref(composer->faults);
    }
    struct compose_request *request = finish_request(slot);
    slot->composer = NULL;
    composer_child_destroy(composer);
    metrics_child_died(METRICS_COMPOSER);

    // What a payload kills comes back at once; what dies by itself comes back ever more slowly.
    slot->start_at_ms = clock_boot_ms() + slot->pause_ms;
    if (!was_busy) {
        lengthen_pause(slot);
        // Faults at a start are composers_create()'s to tell.
        if (!composers->is_starting || !composers->faults)
            composers->handlers.trouble(composers->handlers.context, err);
    }
    tell(composers, request, end, NULL, NULL);
    if (slot == &composers->slots[0] && !slot->composer && slot->pause_ms == 0)
        start(slot);
}

static const struct composer_events events = {
    .ready = on_ready, .answered = on_answered, .ended = on_ended};

// ---- composers that leave -----------------------------------------------------------------------

static void on_last_answer(void *context, const json_t *header, const struct frame *frame)
{
    struct slot *slot = context;
    composer_child_kill(slot->composer);
    tell(slot->owner, finish_request(slot), is_composed(header) ? COMPOSED : COMPOSE_FAILED, header,
         frame);
}

static void on_left(void *context, const struct error *err)
{
    (void)err;
    struct slot *slot = context;
    enum compose_end end = slot->composer->timed_out ? COMPOSE_TIMED_OUT : COMPOSE_DIED;
    struct compose_request *request = finish_request(slot);
    composer_child_destroy(slot->composer);
    slot->composer = NULL;
    tell(slot->owner, request, end, NULL, NULL);
}

static const struct composer_events leaving_events = {.answered = on_last_answer, .ended = on_left};

// Ends the slot's composer: now, or when it has done what it is at.
static void let_go(struct slot *slot)
{
    struct composers *composers = slot->owner;
    if (slot->composer && slot->composer->state == COMPOSER_BUSY) {
        struct slot *leaving = composers->leaving;
        while (leaving->composer) // see is_room_for_trial(): one is free
            leaving++;
        *leaving = *slot;
        composer_child_hand_over(leaving->composer, &leaving_events, leaving);
    } else {
        composer_child_destroy(slot->composer);
    }
    *slot = (struct slot){.owner = composers};
}

// ---- requests -----------------------------------------------------------------------------------

static int64_t limit_ms(const struct compose_request *request)
{
    if (request->task != COMPOSE_PAYLOAD)
        return RENDER_LIMIT_MS;
    int64_t left_ms = NORMALISER_LIMIT_MS - request->spent_ms;
    if (request->is_last_resort && left_ms > LAST_RESORT_LIMIT_MS)
        return LAST_RESORT_LIMIT_MS;
    return left_ms > 0 ? left_ms : 1;
}

static bool send_request(struct slot *slot, struct compose_request *request)
{
    struct composers_handlers *handlers = &slot->owner->handlers;
    handlers->choose(handlers->context, request);
    json_auto_t *header = compose_request_header(request);
    if (!header || !composer_child_ask(slot->composer, header, request->blob, request->blob_size,
                                       limit_ms(request), NULL))
        return false;
    slot->request = request;
    slot->asked_ms = slot->composer->since_ms;
    slot->asked_us = clock_boot_us();
    return true;
}

// Gives what waits to whoever is idle.
static void assign(struct composers *composers)
{
    for (size_t i = 0; i < COMPOSERS_MAX; i++) {
        struct slot *slot = &composers->slots[i];
        if (!slot->composer || !composer_child_is_free(slot->composer))
            continue;
        struct compose_request *request = compose_line_take(&composers->waiting);
        if (!request)
            return;
        // Too large for a frame: as if it had killed the composer, so it falls back and parks.
        if (!send_request(slot, request))
            composers->handlers.done(composers->handlers.context, request, COMPOSE_DIED, NULL,
                                     NULL);
    }
}

void composers_submit(struct composers *composers, struct compose_request *request)
{
    compose_line_push(&composers->waiting, request);
    assign(composers);
}

void composers_forget(struct composers *composers, struct compose_request *request)
{
    for (size_t i = 0; i < COMPOSERS_MAX; i++) {
        if (composers->slots[i].request == request)
            composers->slots[i].request = NULL;
        if (composers->leaving[i].request == request)
            composers->leaving[i].request = NULL;
    }
    compose_line_remove(&composers->waiting, request);
}

// ---- life ---------------------------------------------------------------------------------------

static void start(struct slot *slot)
{
    struct composers *composers = slot->owner;
    struct error err = {0};
    slot->composer = composer_child_start(composers->loop, composers->program, composers->init,
                                          &events, slot, &err);
    if (slot->composer)
        return;
    lengthen_pause(slot);
    composers->handlers.trouble(composers->handlers.context, &err);
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
                                    .handlers = *handlers,
                                    .is_starting = true};
    if (!composers->program || !composers->init) {
        error_set(err, ERR_TEMPORARY, "composers: no memory");
        composers_destroy(composers);
        return NULL;
    }
    compose_line_init(&composers->waiting);
    for (size_t i = 0; i < COMPOSERS_MAX; i++)
        composers->slots[i].owner = composers->leaving[i].owner = composers;

    struct slot *first = &composers->slots[0];
    start(first);
    while (first->composer && first->composer->state == COMPOSER_LOADING &&
           !first->composer->killed) {
        int64_t left_ms = first->composer->limit_ms - clock_boot_ms();
        if (!event_loop_wait(loop, left_ms > 0 ? (int)left_ms : 0, err))
            break;
        if (first->composer)
            composer_child_tick(first->composer, clock_boot_ms());
    }
    composers->is_starting = false;
    if (first->composer && first->composer->state == COMPOSER_IDLE)
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
    composer_trial_destroy(composers->trial);
    for (size_t i = 0; i < COMPOSERS_MAX; i++) {
        composer_child_destroy(composers->slots[i].composer);
        composer_child_destroy(composers->leaving[i].composer);
    }
    json_decref(composers->faults);
    json_decref(composers->last_ready);
    json_decref(composers->init);
    free(composers->program);
    free(composers);
}

// ---- new settings -------------------------------------------------------------------------------

// The first one's place is kept for it, so that what kills it does not have to wait for room.
static size_t count_processes(const struct composers *composers)
{
    size_t count = 1;
    for (size_t i = 0; i < COMPOSERS_MAX; i++)
        count += (i > 0 && composers->slots[i].composer ? 1U : 0U) +
                 (composers->leaving[i].composer ? 1U : 0U);
    return count;
}

// One at most is tried beside those at work and those that leave.
static bool is_room_for_trial(const struct composers *composers)
{
    return count_processes(composers) <= COMPOSERS_MAX;
}

static void end_reload(struct composers *composers, const json_t *faults)
{
    composers_reload_fn *done = composers->reload_done;
    void *context = composers->reload_context;
    struct composer_trial *trial = composers->trial;
    // Gone first: the callee may begin another. But the faults may be the trial's own.
    composers->trial = NULL;
    done(context, faults);
    composer_trial_destroy(trial);
}

static void on_tried(void *context, const json_t *faults)
{
    struct composers *composers = context;
    if (faults) {
        end_reload(composers, faults);
        return;
    }
    json_decref(composers->init);
    composers->init = json_deep_copy(composer_trial_init(composers->trial));
    for (size_t i = 0; i < COMPOSERS_MAX; i++)
        let_go(&composers->slots[i]);
    struct slot *first = &composers->slots[0];
    first->composer = composer_trial_take(composers->trial);
    composer_child_hand_over(first->composer, &events, first);
    json_decref(composers->last_ready); // told anew after each reload
    composers->last_ready = NULL;
    tell_confinement(composers, first->composer->ready);
    end_reload(composers, NULL);
    assign(composers);
}

void composers_reload(struct composers *composers, const json_t *init,
                      const struct sample_set *sets, size_t set_count, composers_reload_fn *done,
                      void *context)
{
    if (composers->trial) {
        json_auto_t *faults = json_array();
        faults_add(faults, "reload", "another one has taken its place");
        end_reload(composers, faults);
    }
    composers->reload_done = done;
    composers->reload_context = context;
    composers->trial = composer_trial_create(composers->loop, composers->program, init, sets,
                                             set_count, on_tried, composers);
    if (!composers->trial)
        abort(); // a small allocation, at an operator's word: what is on disk comes back at once
}

// ---- beat ---------------------------------------------------------------------------------------

static bool may_start_second(const struct composers *composers)
{
    size_t trials = composers->trial && composer_trial_is_running(composers->trial) ? 1 : 0;
    return count_processes(composers) + trials <= COMPOSERS_MAX;
}

static int64_t start_ms(const struct composers *composers, size_t index)
{
    int64_t start_at_ms = composers->slots[index].start_at_ms;
    if (index == 0)
        return start_at_ms;
    int64_t since_ms = compose_line_since_ms(&composers->waiting);
    if (since_ms == INT64_MAX || !may_start_second(composers))
        return INT64_MAX;
    int64_t needed_ms = since_ms + SECOND_AFTER_MS;
    if (needed_ms < composers->looked_ms + SECOND_AFTER_MS)
        needed_ms = composers->looked_ms + SECOND_AFTER_MS;
    return needed_ms > start_at_ms ? needed_ms : start_at_ms;
}

// Has the first one had a processor to itself since the last look, or as much of one for a single
// request, or is it at that for far too long? Where others leave it none, a second one would only
// take more from them.
static bool first_is_not_enough(struct composers *composers, int64_t now_ms)
{
    const struct composer_child *first = composers->slots[0].composer;
    if (!first)
        return true;
    int64_t cpu_ms = composer_child_cpu_ms(first), took_ms = now_ms - composers->looked_ms;
    int64_t used_ms = cpu_ms - composers->looked_cpu_ms;
    composers->looked_ms = now_ms;
    composers->looked_cpu_ms = cpu_ms;
    if (used_ms * 100 >= took_ms * SECOND_SHARE_PERCENT)
        return true;
    return first->state == COMPOSER_BUSY && (cpu_ms - first->cpu_before_ms >= SECOND_AFTER_MS ||
                                             now_ms - first->since_ms >= SECOND_ANYWAY_MS);
}

static int64_t slot_next_ms(const struct composers *composers, size_t index)
{
    const struct composer_child *composer = composers->slots[index].composer;
    if (!composer)
        return start_ms(composers, index);
    if (index > 0 && composer->state == COMPOSER_IDLE)
        return composer->since_ms + SECOND_IDLE_MS;
    return composer_child_next_ms(composer);
}

static void tick_slot(struct composers *composers, size_t index, int64_t now_ms)
{
    struct slot *slot = &composers->slots[index];
    if (now_ms < slot_next_ms(composers, index))
        return;
    if (!slot->composer) {
        if (index == 0 || first_is_not_enough(composers, now_ms))
            start(slot);
    } else if (slot->composer->state == COMPOSER_IDLE) {
        composer_child_destroy(slot->composer);
        slot->composer = NULL;
    } else {
        composer_child_tick(slot->composer, now_ms);
    }
}

void composers_tick(struct composers *composers, int64_t now_ms)
{
    for (size_t i = 0; i < COMPOSERS_MAX; i++) {
        tick_slot(composers, i, now_ms);
        if (composers->leaving[i].composer)
            composer_child_tick(composers->leaving[i].composer, now_ms);
    }
    if (composers->trial)
        composer_trial_tick(composers->trial, now_ms, is_room_for_trial(composers));
}

int64_t composers_next_ms(const struct composers *composers)
{
    int64_t next_ms = INT64_MAX;
    for (size_t i = 0; i < COMPOSERS_MAX; i++) {
        const struct composer_child *leaving = composers->leaving[i].composer;
        int64_t slot_ms = slot_next_ms(composers, i);
        int64_t leaving_ms = leaving ? composer_child_next_ms(leaving) : INT64_MAX;
        next_ms = slot_ms < next_ms ? slot_ms : next_ms;
        next_ms = leaving_ms < next_ms ? leaving_ms : next_ms;
    }
    if (!composers->trial)
        return next_ms;
    if (!composer_trial_is_running(composers->trial) && is_room_for_trial(composers))
        return 0;
    int64_t trial_ms = composer_trial_next_ms(composers->trial);
    return trial_ms < next_ms ? trial_ms : next_ms;
}
