#include "relay/cli/sample_trial.h"

#include "relay/base/buffer.h"
#include "relay/member_text.h"

// The samples are not timed, unlike a payload in the daemon: a sanitized composer is slow.
enum { COMPOSE_LIMIT_MS = 10000, SAMPLE_MAX = 1024 * 1024 };

static void fault(const struct sample_trial *trial, const char *where, const char *what)
{
    json_auto_t *faults = json_array();
    faults_add(faults, where, what);
    trial->on_faults(trial->context, faults);
}

// False: the composer is of no more use.
static bool compose(struct sample_trial *trial, struct sample *sample)
{
    AUTO_BUFFER struct buffer payload;
    buffer_init(&payload, SAMPLE_MAX);
    struct error err = {0};
    if (!sample_read(sample, &payload, &err)) {
        fault(trial, sample->path, err.message);
        return true;
    }
    json_auto_t *header = sample_request(sample);
    json_auto_t *answer = NULL;
    json_auto_t *faults = json_array();
    struct frame frame;
    if (!header || !faults) {
        fault(trial, sample->path, "no memory");
        return true;
    }
    bool is_answered = child_session_ask(trial->session, header, payload.data ? payload.data : "",
                                         payload.size, COMPOSE_LIMIT_MS, &answer, &frame, &err);
    if (!is_answered)
        sample_unanswered(sample, trial->init, err.message, faults);
    else if (sample_judge(sample, trial->init, answer, faults) == 0) {
        trial->composed++;
        if (trial->on_composed)
            trial->on_composed(trial->context, sample, answer);
    }
    trial->on_faults(trial->context, faults);
    return is_answered;
}

// False: the composer is of no more use.
static bool compose_route(struct sample_trial *trial, const struct config_route *route)
{
    struct sample_set set = {.route = route->name, .dir = route->samples_dir};
    if (trial->on_route)
        trial->on_route(trial->context, route);
    if (!set.dir)
        return true;
    struct samples samples = {0};
    struct error err = {0};
    if (!samples_add(&samples, &set, &err))
        fault(trial, set.dir, err.message);
    bool goes_on = true;
    for (size_t i = 0; goes_on && i < samples.count; i++)
        goes_on = compose(trial, &samples.items[i]);
    json_auto_t *faults = json_array();
    samples_judge_all(&samples, trial->init, faults);
    trial->on_faults(trial->context, faults);
    samples_finish(&samples);
    return goes_on;
}

bool sample_trial_run(struct sample_trial *trial)
{
    for (size_t i = 0; i < trial->config->route_count; i++)
        if (!compose_route(trial, &trial->config->routes[i]))
            return false;
    return true;
}
