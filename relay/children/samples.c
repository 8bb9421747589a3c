#include "relay/children/samples.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/cleanup.h"
#include "relay/base/clock.h"
#include "relay/base/file.h"
#include "relay/member_text.h"

#define SAMPLE_ID "00000000-0000-7000-8000-000000000000"

static int is_sample(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot && dot != entry->d_name && strcmp(dot, ".json") == 0;
}

static bool append(struct samples *samples, const struct sample_set *set, const char *name)
{
    struct sample *items = reallocarray(samples->items, samples->count + 1, sizeof(*items));
    if (!items)
        return false;
    samples->items = items;
    struct sample *sample = &items[samples->count];
    *sample = (struct sample){.route = strdup(set->route)};
    if (asprintf(&sample->path, "%s/%s", set->dir, name) < 0)
        sample->path = NULL;
    samples->count++; // half-built or not, samples_finish() releases it
    if (sample->path)
        sample->name = strrchr(sample->path, '/') + 1;
    return sample->route && sample->path;
}

bool samples_add(struct samples *samples, const struct sample_set *set, struct error *err)
{
    struct dirent **entries = NULL;
    int count = scandir(set->dir, &entries, is_sample, alphasort);
    if (count < 0)
        return error_errno(err, ERR_IO, "read the folder");
    bool ok = true;
    for (int i = 0; i < count; i++) {
        ok = ok && append(samples, set, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    if (!ok)
        return error_set(err, ERR_TEMPORARY, "no memory");
    return count > 0 || error_set(err, ERR_INPUT, "holds no sample payloads");
}

void samples_finish(struct samples *samples)
{
    for (size_t i = 0; i < samples->count; i++) {
        free(samples->items[i].route);
        free(samples->items[i].path);
    }
    free(samples->items);
    *samples = (struct samples){0};
}

bool sample_read(const struct sample *sample, struct buffer *payload, struct error *err)
{
    return file_read(sample->path, FILE_REGULAR, payload, NULL, err);
}

json_t *sample_request(const struct sample *sample)
{
    return json_pack("{s:s, s:s, s:s, s:i, s:I}", "op", "compose", "id", SAMPLE_ID, "route",
                     sample->route, "elapsed_ms", 0, "wall_ms", (json_int_t)clock_wall_ms());
}

// Without memory for it a fault is lost, but not that there is one: callers go by the array's
// size, or have ended already.
void faults_add(json_t *faults, const char *where, const char *what)
{
    json_array_append_new(faults, json_pack("{s:s, s:s}", "where", where, "what", what));
}

// The file of the route's normaliser, or the route's name where init has no such route.
static const char *normaliser_of(const struct sample *sample, const json_t *init)
{
    size_t index;
    json_t *route;
    json_array_foreach(json_object_get(init, "routes"), index, route)
    {
        const char *name = json_string_value(json_object_get(route, "name"));
        const char *file = json_string_value(json_object_get(route, "normaliser"));
        if (name && file && strcmp(name, sample->route) == 0)
            return file;
    }
    return sample->route;
}

// It is the normaliser that is at fault, whatever the sample.
static void blame_normaliser(const struct sample *sample, const json_t *init, const char *why,
                             json_t *faults)
{
    char what[512];
    snprintf(what, sizeof(what), "%s, for %s", why, sample->name);
    faults_add(faults, normaliser_of(sample, init), what);
}

void sample_unanswered(const struct sample *sample, const json_t *init, const char *why,
                       json_t *faults)
{
    blame_normaliser(sample, init, why, faults);
}

size_t sample_judge(struct sample *sample, const json_t *init, const json_t *answer, json_t *faults)
{
    const char *op = member_text(answer, "op");
    if (!op || strcmp(op, "composed") != 0) {
        const char *detail = member_text(answer, "detail"), *reason = member_text(answer, "reason");
        faults_add(faults, sample->path, detail ? detail : reason ? reason : "not composed");
        return 1;
    }
    size_t index, count = 0;
    json_t *mail;
    json_array_foreach(json_object_get(answer, "mails"), index, mail)
    {
        const char *park = member_text(mail, "park"), *detail = member_text(mail, "detail");
        // A sample's links lead to the host of whoever wrote it, which no brand need allow.
        if (!park || strcmp(park, "unsupported_channel") == 0 ||
            strcmp(park, "link_not_allowed") == 0)
            continue;
        count++;
        bool is_empty = strcmp(park, "no_content") == 0; // templates may be what lacks, as well
        char what[512];
        snprintf(what, sizeof(what), "%s%s%s", park, detail ? ": " : "", detail ? detail : "");
        if (is_empty)
            faults_add(faults, sample->path, what);
        else if (detail)
            blame_normaliser(sample, init, detail, faults);
        else
            faults_add(faults, sample->path, park);
    }
    sample->made_nothing = index == 0;
    return count;
}

void samples_judge_all(const struct samples *samples, const json_t *init, json_t *faults)
{
    for (size_t i = 0, next; i < samples->count; i = next) {
        const struct sample *first = &samples->items[i];
        bool made_nothing = true;
        for (next = i; next < samples->count; next++) {
            if (strcmp(samples->items[next].route, first->route) != 0)
                break;
            made_nothing = made_nothing && samples->items[next].made_nothing;
        }
        char what[128];
        snprintf(what, sizeof(what), "makes a mail of none of the samples of route %s",
                 first->route);
        if (made_nothing)
            faults_add(faults, normaliser_of(first, init), what);
    }
}
