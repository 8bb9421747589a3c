#include "relay/children/composer_child.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/children/child.h"
#include "relay/metrics.h"

enum {
    READY_LIMIT_MS = 10000,
    // A machine that is busy gives one that is nice nothing for seconds, however little it was to
    // have.
    STARVED_MS = 4000,
};

static void enter(struct composer_child *composer, enum composer_state state)
{
    composer->state = state;
    composer->since_ms = clock_boot_ms();
}

// Is it an answer to what it was asked? To no other message's mail may it be taken for one.
static bool is_answer(const struct composer_child *composer, const json_t *header, const char *op)
{
    const json_t *id = json_object_get(header, "id");
    return composer->state == COMPOSER_BUSY && op &&
           (strcmp(op, "composed") == 0 || strcmp(op, "failed") == 0) && id &&
           json_equal(id, composer->asked_id);
}

static void on_frame(void *context, const json_t *header, const struct frame *frame)
{
    struct composer_child *composer = context;
    // What it said before it was killed may still be read. Were it heard, it would be idle, and
    // the next request would be lost with it.
    if (composer->killed)
        return;
    const char *op = json_string_value(json_object_get(header, "op"));
    if (composer->state == COMPOSER_LOADING && op && strcmp(op, "ready") == 0) {
        composer->ready = json_deep_copy(header);
        enter(composer, COMPOSER_IDLE);
        composer->events->ready(composer->context);
    } else if (composer->state == COMPOSER_LOADING && op && strcmp(op, "faults") == 0) {
        json_decref(composer->faults);
        composer->faults = json_incref(json_object_get(header, "faults"));
        // It ends now, by itself.
    } else if (is_answer(composer, header, op)) {
        enter(composer, COMPOSER_IDLE);
        composer->events->answered(composer->context, header, frame);
    } else {
        composer_child_kill(composer); // it says what nobody asked: it is not itself any more
    }
}

static void on_end(void *context, const struct error *err)
{
    struct composer_child *composer = context;
    struct error told = *err;
    const json_t *fault = json_array_get(composer->faults, 0);
    const char *where = json_string_value(json_object_get(fault, "where"));
    const char *what = json_string_value(json_object_get(fault, "what"));
    if (where && what)
        error_set(&told, ERR_INPUT, "%s: %s", where, what);
    else if (composer->timed_out)
        error_set(&told, ERR_TEMPORARY, "it took too long");
    composer->events->ended(composer->context, &told);
}

// From when it is in its state.
static void give(struct composer_child *composer, int64_t for_ms)
{
    composer->limit_ms = composer->since_ms + for_ms;
    composer->for_ms = for_ms;
    composer->chances = for_ms < STARVED_MS ? (int)(STARVED_MS / for_ms) : 1;
    composer->is_late = false;
    composer->cpu_before_ms = composer_child_cpu_ms(composer);
}

struct composer_child *composer_child_start(struct event_loop *loop, const char *path,
                                            const json_t *init,
                                            const struct composer_events *events, void *context,
                                            struct error *err)
{
    struct composer_child *composer = calloc(1, sizeof(*composer));
    if (!composer) {
        error_set(err, ERR_TEMPORARY, "start %s: no memory", path);
        return NULL;
    }
    composer->events = events;
    composer->context = context;
    composer->child =
        child_start(loop, path, PROCESS_HEAP_QUICK, NULL, 0, on_frame, on_end, composer, err);
    if (composer->child)
        metrics_child_started(METRICS_COMPOSER);
    if (!composer->child || !child_send(composer->child, init, NULL, 0, err)) {
        composer_child_destroy(composer);
        return NULL;
    }
    enter(composer, COMPOSER_LOADING);
    give(composer, READY_LIMIT_MS);
    return composer;
}

void composer_child_destroy(struct composer_child *composer)
{
    if (!composer)
        return;
    if (composer->child)
        metrics_child_ended(METRICS_COMPOSER);
    child_destroy(composer->child);
    json_decref(composer->ready);
    json_decref(composer->faults);
    json_decref(composer->asked_id);
    free(composer);
}

void composer_child_kill(struct composer_child *composer)
{
    composer->killed = true;
    child_kill(composer->child);
}

void composer_child_hand_over(struct composer_child *composer, const struct composer_events *events,
                              void *context)
{
    composer->events = events;
    composer->context = context;
}

bool composer_child_is_free(const struct composer_child *composer)
{
    return composer->state == COMPOSER_IDLE && !composer->killed;
}

int64_t composer_child_cpu_ms(const struct composer_child *composer)
{
    return clock_cpu_ms(composer->child->pid);
}

bool composer_child_ask(struct composer_child *composer, const json_t *header, const void *blob,
                        size_t blob_size, int64_t for_ms, struct error *err)
{
    const struct frame_blob blobs[] = {{blob, blob_size}};
    if (!child_send(composer->child, header, blobs, 1, err))
        return false;
    enter(composer, COMPOSER_BUSY);
    json_decref(composer->asked_id);
    composer->asked_id = json_incref(json_object_get(header, "id"));
    give(composer, for_ms);
    return true;
}

// On a machine that has no time for it, what it works on is not at fault.
static bool is_starved(const struct composer_child *composer)
{
    return composer->state != COMPOSER_IDLE &&
           composer_child_cpu_ms(composer) - composer->cpu_before_ms < composer->for_ms / 2;
}

int64_t composer_child_cost_ms(const struct composer_child *composer, int64_t took_ms)
{
    if (!composer->is_late)
        return took_ms;
    int64_t used_ms = composer_child_cpu_ms(composer) - composer->cpu_before_ms;
    if (composer->timed_out || used_ms < 0) // it has ended, and the kernel does not say
        used_ms = composer->for_ms;
    return used_ms < took_ms ? used_ms : took_ms;
}

void composer_child_tick(struct composer_child *composer, int64_t now_ms)
{
    if (now_ms < composer_child_next_ms(composer))
        return;
    if (composer->chances > 0 && is_starved(composer)) {
        composer->limit_ms = now_ms + composer->for_ms; // from now on: all may have stood still
        composer->chances--;
        composer->is_late = true;
        return;
    }
    composer->timed_out = true;
    composer_child_kill(composer);
}

int64_t composer_child_next_ms(const struct composer_child *composer)
{
    return composer->state == COMPOSER_IDLE || composer->killed ? INT64_MAX : composer->limit_ms;
}
