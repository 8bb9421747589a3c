// metrics_text.c - what was counted, as Prometheus reads it.
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "relay/base/clock.h"
#include "relay/metrics_private.h"

#define PREFIX "courier_relay_"
enum { STATS_MS = 10 * 1000, PATH_BYTES = 4096 };

struct label {
    const char *name, *value; // name NULL: behind the last one
};
#define LABELS(...) ((const struct label[]){__VA_ARGS__, {0}})
#define NO_LABELS ((const struct label[]){{0}})

// A name ends with the unit of what is measured, and with `_total` where that only grows.
static void family(struct buffer *page, const char *name, const char *type, const char *help)
{
    buffer_printf(page, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name, type);
}

static void put_labels(struct buffer *page, const struct label *labels)
{
    for (const struct label *label = labels; label->name; label++) {
        buffer_printf(page, "%c%s=\"", label == labels ? '{' : ',', label->name);
        for (const char *at = label->value; *at; at++) {
            if (*at == '\\' || *at == '"')
                buffer_putc(page, '\\');
            buffer_putc(page, *at == '\n' ? ' ' : *at);
        }
        buffer_putc(page, '"');
    }
    if (labels->name)
        buffer_putc(page, '}');
}

static void put(struct buffer *page, const char *name, const struct label *labels, double value)
{
    buffer_puts(page, PREFIX);
    buffer_puts(page, name);
    put_labels(page, labels);
    buffer_printf(page, " %.15g\n", value);
}

static uint64_t read_counter(const metrics_counter *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void put_count(struct buffer *page, const char *name, const struct label *labels,
                      const metrics_counter *counter)
{
    put(page, name, labels, (double)read_counter(counter));
}

// What may be of very many kinds is told once there was one.
static void put_any(struct buffer *page, const char *name, const struct label *labels,
                    const metrics_counter *counter)
{
    if (read_counter(counter) > 0)
        put_count(page, name, labels, counter);
}

// label: one that all its series have, or with a name NULL.
static void put_histogram(struct buffer *page, const char *name, struct label label,
                          const struct metrics_bounds *bounds,
                          const struct metrics_histogram *histogram)
{
    char part[64], bound[32];
    uint64_t count = 0;
    snprintf(part, sizeof(part), "%s_bucket", name);
    for (size_t i = 0; i <= bounds->count; i++) {
        bool is_last = i == bounds->count;
        count += read_counter(&histogram->buckets[is_last ? METRICS_BUCKETS_MAX : i]);
        if (is_last)
            snprintf(bound, sizeof(bound), "+Inf");
        else
            snprintf(bound, sizeof(bound), "%g", (double)bounds->us[i] / 1e6);
        struct label le = {"le", bound};
        put(page, part, label.name ? LABELS(label, le) : LABELS(le), (double)count);
    }
    snprintf(part, sizeof(part), "%s_sum", name);
    put(page, part, LABELS(label), (double)read_counter(&histogram->sum_us) / 1e6);
    snprintf(part, sizeof(part), "%s_count", name);
    put(page, part, LABELS(label), (double)count);
}

// The value at that place; NULL behind the last one.
static const char *value_at(const struct metrics_names *names, size_t at)
{
    if (at == names->most - 1)
        return "other";
    return at < atomic_load_explicit(&names->count, memory_order_acquire) ? names->names[at] : NULL;
}

#define EACH_VALUE(value, at, list)                                                                \
    for (size_t at = 0; at < (list)->most; at++)                                                   \
        for (const char *value = value_at(list, at); value; value = NULL)

static const char *lane_value(size_t lane)
{
    return lane < LANE_COUNT ? lane_name((enum lane)lane) : "none";
}

// ---- the parts of the page ----------------------------------------------------------------------

static void write_process(struct buffer *page)
{
    family(page, "build_info", "gauge", "Always 1; the label says which version runs.");
    put(page, "build_info", LABELS({"version", metrics.version ? metrics.version : "unknown"}), 1);
    family(page, "start_time_seconds", "gauge", "When the relay was started, since the epoch.");
    put(page, "start_time_seconds", NO_LABELS, (double)metrics.started_wall_ms / 1e3);
    family(page, "config_last_reload_successful", "gauge",
           "Whether the configuration that was read last is in force.");
    put(page, "config_last_reload_successful", NO_LABELS, atomic_load(&metrics.reload_is_in_force));
    family(page, "config_last_reload_success_timestamp_seconds", "gauge",
           "When the configuration in force was taken over, since the epoch.");
    put(page, "config_last_reload_success_timestamp_seconds", NO_LABELS,
        (double)atomic_load(&metrics.reloaded_wall_ms) / 1e3);

    family(page, "admin_acts_total", "counter", "What operators have done.");
    EACH_VALUE(act, at, &metrics.act_names)
    (at == METRICS_ACTS - 1 ? put_any : put_count)(page, "admin_acts_total", LABELS({"act", act}),
                                                   &metrics.acts[at]);

    static const char *const children[] = {"composer", "deliverer"};
    family(page, "children", "gauge", "Child processes that run.");
    for (size_t i = 0; i < METRICS_CHILD_COUNT; i++)
        put(page, "children", LABELS({"kind", children[i]}),
            (double)atomic_load(&metrics.children[i]));
    family(page, "child_deaths_total", "counter",
           "Child processes that ended by themselves, or were killed because they hung.");
    for (size_t i = 0; i < METRICS_CHILD_COUNT; i++)
        put_count(page, "child_deaths_total", LABELS({"kind", children[i]}),
                  &metrics.child_deaths[i]);
}

static void write_intake(struct buffer *page)
{
    static const char *const outcomes[] = {[METRICS_ACCEPTED] = "accepted",
                                           [METRICS_DUPLICATE] = "duplicate",
                                           [METRICS_EMPTY] = "empty",
                                           [METRICS_NOT_JSON] = "not_json",
                                           [METRICS_UNAVAILABLE] = "unavailable"};
    family(page, "payloads_total", "counter", "Payloads that were posted with a valid key.");
    EACH_VALUE(route, at, &metrics.routes)
    for (size_t i = 0; i < METRICS_PAYLOAD_COUNT; i++)
        (at == METRICS_ROUTES - 1 ? put_any : put_count)(
            page, "payloads_total", LABELS({"route", route}, {"outcome", outcomes[i]}),
            &metrics.payloads[at][i]);
    family(page, "refused_requests_total", "counter",
           "Requests that were refused by their head or their size.");
    EACH_VALUE(listener, i, &metrics.listeners)
    EACH_VALUE(reason, j, &metrics.refusals)
    (strcmp(listener, "other") == 0 || j == METRICS_REASONS - 1 ? put_any : put_count)(
        page, "refused_requests_total", LABELS({"listener", listener}, {"reason", reason}),
        &metrics.refused[i][j]);
    family(page, "accept_duration_seconds", "histogram",
           "From a payload's head to the answer 200, which says that it is on disk.");
    put_histogram(page, "accept_duration_seconds", (struct label){0}, &metrics_bounds_work,
                  &metrics.accept);
    family(page, "commit_duration_seconds", "histogram",
           "From handing a payload to the queue to the end of its commit.");
    put_histogram(page, "commit_duration_seconds", (struct label){0}, &metrics_bounds_work,
                  &metrics.commit);
}

static void write_composing(struct buffer *page)
{
    static const char *const tasks[] = {[COMPOSE_PAYLOAD] = "compose",
                                        [COMPOSE_FALLBACK] = "fallback",
                                        [COMPOSE_RENDER] = "render"};
    family(page, "compose_duration_seconds", "histogram", "What a composer took for one message.");
    for (size_t i = 0; i < METRICS_TASKS; i++)
        put_histogram(page, "compose_duration_seconds", (struct label){"task", tasks[i]},
                      &metrics_bounds_work, &metrics.compose[i]);
    family(page, "composed_messages_total", "counter",
           "Mails that were made and were to go, by language and by the wish that decided it.");
    EACH_VALUE(locale, i, &metrics.locales)
    EACH_VALUE(source, j, &metrics.wishes)
    put_any(page, "composed_messages_total", LABELS({"locale", locale}, {"locale_source", source}),
            &metrics.composed[i][j]);
    family(page, "compose_failures_total", "counter", "Tries to compose a payload that failed.");
    EACH_VALUE(reason, at, &metrics.compose_reasons)
    put_count(page, "compose_failures_total", LABELS({"reason", reason}),
              &metrics.compose_failed[at]);
}

static void write_messages(struct buffer *page)
{
    static const enum message_state ends[] = {MESSAGE_SENT,      MESSAGE_FAILED,
                                              MESSAGE_EXPIRED,   MESSAGE_SUPERSEDED,
                                              MESSAGE_CANCELLED, MESSAGE_UNKNOWN};
    enum { END_COUNT = sizeof(ends) / sizeof(*ends) };
    family(page, "ended_messages_total", "counter", "Messages that came to their end.");
    for (size_t i = 0; i < END_COUNT; i++)
        for (size_t lane = 0; lane < METRICS_LANES; lane++)
            put_count(page, "ended_messages_total",
                      LABELS({"state", message_state_name(ends[i])}, {"lane", lane_value(lane)}),
                      &metrics.ended[ends[i]][lane]);
    family(page, "ended_messages_by_template_total", "counter", "The same, by template.");
    EACH_VALUE(template, at, &metrics.templates)
    for (size_t i = 0; i < END_COUNT; i++)
        put_any(page, "ended_messages_by_template_total",
                LABELS({"state", message_state_name(ends[i])}, {"template", template}),
                &metrics.ended_by_template[at][ends[i]]);
    family(page, "parked_messages_total", "counter",
           "Messages that were set aside, since they cannot be a mail as they are.");
    EACH_VALUE(reason, at, &metrics.park_reasons)
    put_count(page, "parked_messages_total", LABELS({"reason", reason}), &metrics.parked[at]);
    family(page, "rate_limited_messages_total", "counter",
           "Times that a message was told to wait, since enough was sent.");
    for (size_t lane = 0; lane < LANE_COUNT; lane++)
        put_count(page, "rate_limited_messages_total", LABELS({"lane", lane_value(lane)}),
                  &metrics.rate_limited[lane]);
    family(page, "expired_rate_limited_messages_total", "counter",
           "Of the expired: those that were waiting for a rate limit.");
    for (size_t lane = 0; lane < LANE_COUNT; lane++)
        put_count(page, "expired_rate_limited_messages_total", LABELS({"lane", lane_value(lane)}),
                  &metrics.expired_rate_limited[lane]);
}

static void write_delivery(struct buffer *page)
{
    static const char *const classes[METRICS_CLASSES] = {
        "other", "address", "mailbox", "system", "network", "protocol", "content", "policy"};
    family(page, "deliveries_total", "counter",
           "Transactions with a smarthost, by how they ended.");
    EACH_VALUE(smarthost, at, &metrics.smarthosts)
    for (size_t i = 0; i < METRICS_OUTCOMES; i++)
        (at == METRICS_SMARTHOSTS - 1 ? put_any : put_count)(
            page, "deliveries_total",
            LABELS({"smarthost", smarthost},
                   {"outcome", delivery_outcome_name((enum delivery_outcome)i)}),
            &metrics.deliveries[at][i]);
    family(page, "rejected_messages_total", "counter",
           "Messages that a smarthost refused for good, by what its enhanced code is about.");
    for (size_t i = 0; i < METRICS_CLASSES; i++)
        put_count(page, "rejected_messages_total", LABELS({"class", classes[i]}),
                  &metrics.rejected[i]);
    family(page, "smtp_duration_seconds", "histogram", "What a transaction took.");
    EACH_VALUE(smarthost, at, &metrics.smarthosts)
    if (at < METRICS_SMARTHOSTS - 1)
        put_histogram(page, "smtp_duration_seconds", (struct label){"smarthost", smarthost},
                      &metrics_bounds_smtp, &metrics.smtp[at]);
    family(page, "queue_wait_seconds", "histogram",
           "From receiving a message to the beginning of the transaction that delivered it.");
    for (size_t lane = 0; lane < LANE_COUNT; lane++)
        put_histogram(page, "queue_wait_seconds", (struct label){"lane", lane_value(lane)},
                      &metrics_bounds_wait, &metrics.wait[lane]);
    family(page, "code_lifetime_left_seconds", "histogram",
           "How long a code or link was still good for when the smarthost had taken it.");
    put_histogram(page, "code_lifetime_left_seconds", (struct label){0}, &metrics_bounds_left,
                  &metrics.code_left);
}

#define EACH_SMARTHOST(name, state)                                                                \
    EACH_VALUE(name, at_##name, &metrics.smarthosts)                                               \
    for (const struct metrics_smarthost_state *state = &metrics.smarthost_states[at_##name];       \
         state && atomic_load(&state->is_configured); state = NULL)

static void write_smarthosts(struct buffer *page)
{
    family(page, "smarthost_circuit", "gauge",
           "1 for the state that the smarthost's circuit is in.");
    EACH_SMARTHOST(smarthost, state)
    for (int i = 0; i < METRICS_CIRCUITS; i++)
        put(page, "smarthost_circuit",
            LABELS({"smarthost", smarthost}, {"state", metrics_circuit_names[i]}),
            i == atomic_load(&state->circuit));
    family(page, "smarthost_transactions", "gauge", "Transactions under way.");
    EACH_SMARTHOST(smarthost, state)
    put(page, "smarthost_transactions", LABELS({"smarthost", smarthost}),
        (double)atomic_load(&state->under_way));
    family(page, "smarthost_connections_max", "gauge",
           "How many connections at once there may be now.");
    EACH_SMARTHOST(smarthost, state)
    put(page, "smarthost_connections_max", LABELS({"smarthost", smarthost}),
        (double)atomic_load(&state->connections_max));
    family(page, "smarthost_certificate_not_after_timestamp_seconds", "gauge",
           "When the certificate that was seen last ends, since the epoch.");
    EACH_SMARTHOST(smarthost, state)
    if (atomic_load(&state->certificate_not_after_s) > 0)
        put(page, "smarthost_certificate_not_after_timestamp_seconds",
            LABELS({"smarthost", smarthost}), (double)atomic_load(&state->certificate_not_after_s));
}

// ---- the queue ----------------------------------------------------------------------------------

void metrics_sources_init(struct metrics_sources *sources, const struct queue *queue,
                          struct queue_reader *reader, const char *queue_dir)
{
    *sources = (struct metrics_sources){.queue = queue, .reader = reader, .queue_dir = queue_dir};
}

static bool look_at_stats(struct metrics_sources *sources)
{
    int64_t now_ms = clock_boot_ms();
    if (sources->stats_at_ms > 0 && now_ms < sources->stats_at_ms + STATS_MS)
        return true;
    struct error err;
    if (!queue_stats(sources->reader, &sources->stats, &err))
        return false;
    sources->stats_at_ms = now_ms;
    return true;
}

static void write_depths(struct metrics_sources *sources, struct buffer *page)
{
    if (!look_at_stats(sources)) // with old ones nobody would see that they are old
        return;
    const struct queue_stats *stats = &sources->stats;
    family(page, "queue_messages", "gauge", "Messages in the queue's database, by state.");
    for (size_t i = 0; i < MESSAGE_STATE_COUNT; i++)
        put(page, "queue_messages", LABELS({"state", message_state_name((enum message_state)i)}),
            (double)stats->count[i]);
    family(page, "queue_waiting_messages", "gauge", "Messages that are queued or being sent.");
    for (size_t lane = 0; lane < LANE_COUNT; lane++)
        put(page, "queue_waiting_messages", LABELS({"lane", lane_value(lane)}),
            (double)stats->waiting[lane]);
    family(page, "queue_oldest_waiting_seconds", "gauge",
           "Age of the oldest message that is queued or being sent; 0 where there is none.");
    int64_t now_ms = queue_now_ms(sources->queue);
    for (size_t lane = 0; lane < LANE_COUNT; lane++) {
        int64_t oldest_ms = stats->oldest_waiting_ms[lane];
        put(page, "queue_oldest_waiting_seconds", LABELS({"lane", lane_value(lane)}),
            oldest_ms > 0 && now_ms > oldest_ms ? (double)(now_ms - oldest_ms) / 1e3 : 0);
    }
}

static void write_file_size(const struct metrics_sources *sources, struct buffer *page,
                            const char *file, const char *name, const char *help)
{
    char path[PATH_BYTES];
    struct stat status;
    int size = snprintf(path, sizeof(path), "%s/%s", sources->queue_dir, file);
    if (size < 0 || (size_t)size >= sizeof(path) || stat(path, &status) < 0)
        return;
    family(page, name, "gauge", help);
    put(page, name, NO_LABELS, (double)status.st_size);
}

static void write_disk(const struct metrics_sources *sources, struct buffer *page)
{
    write_file_size(sources, page, "queue.db", "queue_database_bytes", "Size of queue.db.");
    write_file_size(sources, page, "queue.db-wal", "queue_wal_bytes",
                    "Size of queue.db-wal, the log of what is not in the database yet.");
    struct statvfs disk;
    if (statvfs(sources->queue_dir, &disk) == 0) {
        family(page, "queue_disk_free_bytes", "gauge", "What the queue's disk has left.");
        put(page, "queue_disk_free_bytes", NO_LABELS,
            (double)disk.f_bavail * (double)disk.f_frsize);
    }
    family(page, "queue_writable", "gauge", "Whether a payload could be accepted now.");
    put(page, "queue_writable", NO_LABELS, queue_writable(sources->queue));
}

void metrics_write(struct metrics_sources *sources, struct buffer *page)
{
    write_process(page);
    write_intake(page);
    write_composing(page);
    write_messages(page);
    write_delivery(page);
    write_smarthosts(page);
    write_depths(sources, page);
    write_disk(sources, page);
}
