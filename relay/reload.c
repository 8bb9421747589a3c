#include "relay/reload.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "relay/admin/admin.h"
#include "relay/api_key.h"
#include "relay/base/buffer.h"
#include "relay/base/cleanup.h"
#include "relay/base/log.h"
#include "relay/children/composer_session.h"
#include "relay/children/samples.h"
#include "relay/config/look.h"
#include "relay/dispatch/dispatcher.h"
#include "relay/http/server.h"
#include "relay/metrics.h"
#include "relay/routes.h"

enum { NAMES_MAX = 1024 };

struct reload {
    const struct config *started_with;
    struct config *in_force;  // what the last good reload brought; NULL: started_with
    struct config *candidate; // being tried; NULL: nothing is
    struct config *next;      // read meanwhile, to be tried when that is done; or NULL
    struct api_keys *keys;    // of whichever was read last
    struct dispatcher *dispatcher;
    struct http_server *http;
    struct admin *admin;
};

struct reload *reload_create(const struct config *config, struct dispatcher *dispatcher,
                             struct http_server *http, struct admin *admin, struct error *err)
{
    struct reload *reload = calloc(1, sizeof(*reload));
    if (!reload) {
        error_set(err, ERR_TEMPORARY, "no memory");
        return NULL;
    }
    reload->started_with = config;
    reload->keys = api_keys_ref(config->api_keys);
    reload->dispatcher = dispatcher;
    reload->http = http;
    reload->admin = admin;
    return reload;
}

void reload_destroy(struct reload *reload)
{
    if (!reload)
        return;
    config_destroy(reload->next);
    config_destroy(reload->candidate);
    config_destroy(reload->in_force);
    api_keys_destroy(reload->keys);
    free(reload);
}

static const struct config *in_force(const struct reload *reload)
{
    return reload->in_force ? reload->in_force : reload->started_with;
}

static void refuse(const char *where, const char *what)
{
    metrics_reloaded(false);
    LOG(LOG_ERROR, "reload_refused", LOG_STRING("where", where), LOG_STRING("what", what));
}

static void log_findings(const struct config_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        const struct config_finding *finding = &report->findings[i];
        if (finding->fault)
            refuse(finding->where, finding->what);
        else
            LOG(LOG_WARNING, "setting", LOG_STRING("where", finding->where),
                LOG_STRING("what", finding->what));
    }
    if (report->failed)
        refuse("courier-relay", "no memory");
}

// The names of the settings that differ between two configurations, separated by spaces: those
// that a running relay takes over, or those that it does not. NULL: none.
static char *name_changes(const struct config *before, const struct config *after, bool reloads)
{
    AUTO_BUFFER struct buffer names;
    buffer_init(&names, NAMES_MAX);
    size_t number = 0;
    bool is_reloading;
    const char *name;
    while ((name = config_next_change(before, after, &number, &is_reloading)))
        if (is_reloading == reloads)
            buffer_printf(&names, "%s%s", names.size ? " " : "", name);
    return names.size && !names.failed ? buffer_take(&names) : NULL;
}

// Puts the routes of config in force, with the keys that were read last: what is being tried may
// be older than they are.
static bool set_routes(struct reload *reload, const struct config *config)
{
    struct error err = {0};
    struct config with_keys = *config;
    with_keys.api_keys = reload->keys;
    struct routes *routes = routes_create(&with_keys, &err);
    if (!routes) {
        refuse("api_key", err.message);
        return false;
    }
    http_server_set_routes(reload->http, routes);
    routes_unref(routes);
    return true;
}

// A key that was withdrawn must not live on because a template has a fault, or takes its time.
static void take_keys(struct reload *reload, const struct config *config)
{
    api_keys_destroy(reload->keys);
    reload->keys = api_keys_ref(config->api_keys);
    set_routes(reload, in_force(reload));
    admin_set_keys(reload->admin, config->admin_keys);
}

static bool set_smarthosts(struct reload *reload, const struct config *config)
{
    struct error err = {0};
    if (dispatcher_reload_smarthosts(reload->dispatcher, config, &err))
        return true;
    refuse("smtp_uri", err.message);
    return false;
}

static void take_candidate(struct reload *reload)
{
    if (!set_smarthosts(reload, reload->candidate) || !set_routes(reload, reload->candidate))
        return;
    AUTO_FREE char *changed = name_changes(in_force(reload), reload->candidate, true);
    // Against the start: what was not taken over then is not in force now either.
    AUTO_FREE char *waiting = name_changes(reload->started_with, reload->candidate, false);
    log_setup(reload->started_with->log_format, reload->candidate->log_level);
    metrics_reloaded(true);
    LOG(LOG_INFO, "reloaded", LOG_STRING("changed", changed),
        LOG_STRING("waits_for_restart", waiting));
    config_destroy(reload->in_force);
    reload->in_force = reload->candidate;
    reload->candidate = NULL;
}

static void try_next(struct reload *reload);

static void on_tried(void *context, const json_t *faults)
{
    struct reload *reload = context;
    size_t index;
    json_t *fault;
    json_array_foreach(faults, index, fault) // NOLINT: jansson's macro
        refuse(config_place(reload->candidate, json_string_value(json_object_get(fault, "where"))),
               json_string_value(json_object_get(fault, "what")));
    if (!faults)
        take_candidate(reload);
    config_destroy(reload->candidate);
    reload->candidate = NULL;
    try_next(reload);
}

static void try_next(struct reload *reload)
{
    const struct config *config = reload->candidate = reload->next;
    reload->next = NULL;
    if (!config)
        return;
    AUTO_FREE struct sample_set *sets = calloc(config->route_count, sizeof(*sets));
    json_auto_t *init = composer_init_header(config);
    size_t count = 0;
    for (size_t i = 0; sets && i < config->route_count; i++)
        if (config->routes[i].samples_dir)
            sets[count++] =
                (struct sample_set){config->routes[i].name, config->routes[i].samples_dir};
    if (sets && init) {
        dispatcher_reload(reload->dispatcher, init, sets, count, on_tried, reload);
        return;
    }
    refuse("courier-relay", "a setting is no UTF-8, or there is no memory");
    config_destroy(reload->candidate);
    reload->candidate = NULL;
}

// The composer would miss them as well, but not know which setting named them.
static bool files_are_there(const struct config *config)
{
    struct config_report report = {0};
    config_look(config, true, &report);
    log_findings(&report);
    bool all = !config_report_has_fault(&report);
    config_report_finish(&report);
    return all;
}

void reload_begin(struct reload *reload)
{
    struct config_report report;
    struct config *config = config_reload(reload->started_with, &report);
    log_findings(&report);
    config_report_finish(&report);
    if (!config)
        return;
    take_keys(reload, config);
    if (!files_are_there(config)) {
        config_destroy(config);
        return;
    }
    config_destroy(reload->next);
    reload->next = config;
    if (!reload->candidate)
        try_next(reload);
}

bool reload_is_under_way(const struct reload *reload)
{
    return reload->candidate != NULL;
}
