// Templates, catalogs and normalisers: loaded, and tried on every sample payload.
#include <jansson.h>
#include <string.h>

#include "relay/children/composer_session.h"
#include "relay/children/confinement.h"
#include "relay/cli/doctor.h"
#include "relay/cli/sample_trial.h"
#include "relay/member_text.h"

enum { LOAD_LIMIT_MS = 20000 };

struct look {
    struct doctor *doctor;
    size_t faults;
};

static const char subject[] = "mails";

static const struct advice faulty = {
    "mails of this kind go out with Kratos' own words, are parked, or the relay does not start",
    "mend the file and line that is named; `courier-relay check` shows what comes of each sample"};

static void tell_faults(void *context, const json_t *faults)
{
    struct look *look = context;
    size_t index;
    json_t *fault;
    json_array_foreach(faults, index, fault)
    {
        const char *where = member_text_or(fault, "where", "composer");
        findings_tell(&look->doctor->findings, SEVERITY_ERROR, subject, &faulty, "%s: %s",
                      config_place(look->doctor->config, where),
                      member_text_or(fault, "what", "is at fault"));
        look->faults++;
    }
}

static void tell_confinement(struct doctor *doctor, const json_t *ready)
{
    static const struct advice open = {"the composer reads what strangers have written, and is to "
                                       "have no files, no network and no "
                                       "other programs; of this it could not be rid",
                                       "have a kernel with Landlock and seccomp (6.1 or later); in "
                                       "a container look at its seccomp "
                                       "profile"};
    char text[CONFINEMENT_TEXT_SIZE];
    const json_t *missing = json_object_get(ready, "unconfined");
    if (json_array_size(missing) > 0)
        findings_tell(&doctor->findings, SEVERITY_WARNING, subject, &open,
                      "the composer is not confined by %s", confinement_text(missing, text));
}

// NULL: it has been told why.
static struct child_session *load(struct look *look, const json_t *init)
{
    struct error err = {0};
    json_auto_t *ready = NULL;
    struct frame frame;
    const char *path = look->doctor->config->composer_path;
    struct child_session *session = init ? composer_session_create(path, &err) : NULL;
    bool is_answered =
        session && child_session_ask(session, init, NULL, 0, LOAD_LIMIT_MS, &ready, &frame, &err);
    if (is_answered && strcmp(member_text_or(ready, "op", ""), "ready") == 0) {
        tell_confinement(look->doctor, ready);
        return session;
    }
    tell_faults(look, json_object_get(ready, "faults"));
    if (look->faults == 0)
        findings_tell(&look->doctor->findings, SEVERITY_ERROR, subject, &faulty, "%s: %s", path,
                      *err.message ? err.message : "is not ready, and does not say why");
    child_session_destroy(session);
    return NULL;
}

void doctor_look_at_mails(struct doctor *doctor)
{
    struct look look = {.doctor = doctor};
    json_auto_t *init = composer_init_header(doctor->config);
    struct sample_trial trial = {
        .config = doctor->config, .init = init, .context = &look, .on_faults = tell_faults};
    trial.session = load(&look, init);
    if (!trial.session)
        return;
    sample_trial_run(&trial); // where no composer is left, a fault says so
    child_session_destroy(trial.session);
    if (look.faults == 0)
        findings_tell(&doctor->findings, SEVERITY_FINE, subject, NULL,
                      "templates and normalisers are good, %u samples became mails",
                      trial.composed);
}
