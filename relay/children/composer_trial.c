#include "relay/children/composer_trial.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/buffer.h"

enum {
    SAMPLE_LIMIT_MS = 1000, // what a payload may take as well
    SAMPLE_MAX_BYTES = 1024 * 1024,
    FAULTS_MAX = 16, // enough to see what is wrong
};

struct composer_trial {
    struct event_loop *loop;
    char *program;
    json_t *init;
    struct samples samples;
    size_t at; // the sample it is asked
    json_t *faults;
    struct composer_child *composer; // NULL: not started yet
    composer_trial_end_fn *ended;
    void *context;
};

// Asks the next sample; after the last one, or too many faults, the trial is over.
static void go_on(struct composer_trial *trial)
{
    bool is_asked = false;
    for (; !is_asked && trial->at < trial->samples.count &&
           json_array_size(trial->faults) < FAULTS_MAX;
         trial->at += !is_asked) {
        const struct sample *sample = &trial->samples.items[trial->at];
        AUTO_BUFFER struct buffer payload;
        buffer_init(&payload, SAMPLE_MAX_BYTES);
        json_auto_t *header = sample_request(sample);
        struct error err = {0};
        is_asked = header && sample_read(sample, &payload, &err) &&
                   composer_child_ask(trial->composer, header, payload.data ? payload.data : "",
                                      payload.size, SAMPLE_LIMIT_MS, &err);
        if (!is_asked)
            faults_add(trial->faults, sample->path, header ? err.message : "no memory");
    }
    if (is_asked)
        return;
    samples_judge_all(&trial->samples, trial->init, trial->faults);
    if (json_array_size(trial->faults) > 0)
        composer_child_kill(trial->composer); // its end is the trial's
    else
        trial->ended(trial->context, NULL);
}

static void on_ready(void *context)
{
    go_on(context);
}

static void on_answered(void *context, const json_t *header, const struct frame *frame)
{
    (void)frame;
    struct composer_trial *trial = context;
    sample_judge(&trial->samples.items[trial->at], trial->init, header, trial->faults);
    trial->at++;
    go_on(trial);
}

static void on_ended(void *context, const struct error *err)
{
    struct composer_trial *trial = context;
    const struct composer_child *composer = trial->composer;
    if (json_array_size(composer->faults) > 0)
        json_array_extend(trial->faults, composer->faults);
    else if (composer->state == COMPOSER_BUSY)
        sample_unanswered(&trial->samples.items[trial->at], trial->init,
                          composer->timed_out ? "took longer than a second" : "ended its composer",
                          trial->faults);
    if (json_array_size(trial->faults) == 0)
        faults_add(trial->faults, trial->program, err->message);
    composer_child_destroy(trial->composer);
    trial->composer = NULL;
    trial->ended(trial->context, trial->faults);
}

static const struct composer_events events = {
    .ready = on_ready, .answered = on_answered, .ended = on_ended};

struct composer_trial *composer_trial_create(struct event_loop *loop, const char *program,
                                             const json_t *init, const struct sample_set *sets,
                                             size_t set_count, composer_trial_end_fn *ended,
                                             void *context)
{
    struct composer_trial *trial = calloc(1, sizeof(*trial));
    if (!trial)
        return NULL;
    *trial = (struct composer_trial){.loop = loop,
                                     .program = strdup(program),
                                     .init = json_deep_copy(init),
                                     .faults = json_array(),
                                     .ended = ended,
                                     .context = context};
    if (!trial->program || !trial->init || !trial->faults) {
        composer_trial_destroy(trial);
        return NULL;
    }
    for (size_t i = 0; i < set_count; i++) {
        struct error err = {0};
        if (!samples_add(&trial->samples, &sets[i], &err))
            faults_add(trial->faults, sets[i].dir, err.message);
    }
    return trial;
}

void composer_trial_destroy(struct composer_trial *trial)
{
    if (!trial)
        return;
    composer_child_destroy(trial->composer);
    samples_finish(&trial->samples);
    json_decref(trial->faults);
    json_decref(trial->init);
    free(trial->program);
    free(trial);
}

struct composer_child *composer_trial_take(struct composer_trial *trial)
{
    struct composer_child *composer = trial->composer;
    trial->composer = NULL;
    return composer;
}

const json_t *composer_trial_init(const struct composer_trial *trial)
{
    return trial->init;
}

bool composer_trial_is_running(const struct composer_trial *trial)
{
    return trial->composer != NULL;
}

void composer_trial_tick(struct composer_trial *trial, int64_t now_ms, bool is_room)
{
    if (trial->composer) {
        composer_child_tick(trial->composer, now_ms);
        return;
    }
    if (!is_room)
        return;
    struct error err = {0};
    trial->composer =
        composer_child_start(trial->loop, trial->program, trial->init, &events, trial, &err);
    if (trial->composer)
        return;
    faults_add(trial->faults, trial->program, err.message);
    trial->ended(trial->context, trial->faults);
}

int64_t composer_trial_next_ms(const struct composer_trial *trial)
{
    return trial->composer ? composer_child_next_ms(trial->composer) : INT64_MAX;
}
