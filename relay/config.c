#include "relay/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/cleanup.h"
#include "relay/base/kind.h"
#include "relay/base/names.h"
#include "relay/base/process.h"
#include "relay/config_parts.h"
#include "relay/paths.h"

// Checks the text found for one setting, or its default, and puts it into config.
static void settle(size_t number, const struct setting_value *found, const struct paths *paths,
                   enum config_purpose purpose, struct config *config, struct config_report *report)
{
    const struct setting *setting = &config_settings[number];
    char variable[SETTING_VARIABLE_SIZE];
    setting_variable(setting, variable);
    AUTO_FREE char *standard = NULL;
    const char *text = found->text;
    const char *where = config->places[number] = strdup(found->where ? found->where : variable);
    if (!where) {
        report->failed = true;
        return;
    }
    if (!text && setting->find_standard) {
        text = standard = setting->find_standard(paths);
        if (!text)
            report->failed = true;
    } else if (!text) {
        text = setting->standard;
    }
    if (!text) {
        if (setting->needed && !found->faulty && purpose == CONFIG_FOR_RELAY)
            config_report_add(report, true, variable, "is needed (%s)", setting->help);
        return;
    }
    struct error err = {0};
    if (!setting->set(setting, config, text, &err) ||
        (setting->look && purpose == CONFIG_FOR_RELAY && !setting->look(config, &err)))
        config_report_add(report, true, where, "%s", err.message);
}

// The type of Kratos' most like this one, or NULL where none is.
static const char *nearest_type(const char *type, bool *ret_known)
{
    const struct kind *kind;
    const char *nearest = NULL;
    size_t best = strlen(type) / 2 + 1; // farther than that is no likeness
    for (size_t i = 0; (kind = kind_at(i)); i++) {
        size_t distance = names_distance(type, kind->template);
        if (distance < best) {
            best = distance;
            nearest = kind->template;
        }
    }
    *ret_known = nearest && strcmp(nearest, type) == 0;
    return nearest;
}

// A payload may name any type, so that one Kratos does not have may be meant so.
static void warn_of_types(const struct config *config, struct config_report *report)
{
    for (size_t i = 0; i < config->lifetime_count; i++) {
        bool is_known;
        const char *type = config->lifetimes[i].type;
        const char *nearest = nearest_type(type, &is_known);
        if (!is_known)
            config_report_add(report, false, config_place(config, "lifetime"),
                              nearest ? "%s is no type of Kratos'; did you mean %s?"
                                      : "%s is no type of Kratos'%s",
                              type, nearest ? nearest : "");
    }
}

// What works, but should be known at every start.
static void warn(const struct config *config, struct config_report *report)
{
    const struct api_keys *lists[] = {config->api_keys, config->admin_keys};
    static const char *const names[] = {"api_key", "admin_key"};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        size_t place = 0;
        const char *name;
        while (lists[i] && (name = api_keys_next_short(lists[i], &place)))
            config_report_add(report, false, config_place(config, names[i]),
                              "the key %s has fewer than %d characters", name, API_KEY_SHORT);
    }
    const char *place = config_place(config, "smtp_uri");
    for (size_t i = 0; i < config->smarthost_count; i++) {
        const struct smarthost *smarthost = &config->smarthosts[i];
        if (smarthost->user && smarthost->tls == SMARTHOST_TLS_NONE)
            config_report_add(report, false, place, "the password goes to %s in the clear",
                              smarthost->name);
        if (!smarthost->verify && smarthost->tls != SMARTHOST_TLS_NONE)
            config_report_add(report, false, place, "the certificate of %s is not checked",
                              smarthost->name);
    }
    warn_of_types(config, report);
}

// Kratos' own route, which needs no configuration.
static bool add_kratos_route(struct config *config)
{
    struct config_route *route = config->routes = calloc(1, sizeof(*route));
    if (!route)
        return false;
    config->route_count = 1;
    route->name = strdup("kratos");
    route->path = strdup("/kratos/webhook");
    route->normaliser = strdup(config->normaliser);
    route->samples_dir = strdup(config->samples_dir);
    return route->name && route->path && route->normaliser && route->samples_dir;
}

static bool has_fault(const struct config_report *report)
{
    for (size_t i = 0; i < report->count; i++)
        if (report->findings[i].fault)
            return true;
    return report->failed;
}

static bool find_paths(struct config *config, struct paths *ret_paths, struct error *err)
{
    AUTO_FREE char *program_dir = process_program_dir(err);
    if (!program_dir || !paths_find(program_dir, ret_paths, err))
        return false;
    config->composer_path = strdup(ret_paths->composer);
    config->deliverer_path = strdup(ret_paths->deliverer);
    config->samples_dir = strdup(ret_paths->samples_dir);
    return (config->composer_path && config->deliverer_path && config->samples_dir) ||
           error_set(err, ERR_TEMPORARY, "no memory");
}

static void load(const char *file, enum config_purpose purpose, struct config *config,
                 struct config_report *report)
{
    struct error err = {0};
    struct paths paths;
    if (!find_paths(config, &paths, &err)) {
        config_report_add(report, true, "courier-relay", "%s", err.message);
        return;
    }
    struct setting_values environment = {0}, from_file = {0};
    AUTO_FREE char *named = NULL;
    config_read_environment(&environment, &named, &config->wiped, report);
    // What a file that cannot be read may have set is not to be missed.
    if ((file || named) &&
        !config_read_file(file ? file : named, paths.composer, &from_file, report))
        purpose = CONFIG_FOR_COMMAND;
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        bool in_environment = environment.of[i].text || environment.of[i].faulty;
        settle(i, in_environment ? &environment.of[i] : &from_file.of[i], &paths, purpose, config,
               report);
    }
    if (!add_kratos_route(config))
        report->failed = true;
    setting_values_finish(&environment);
    setting_values_finish(&from_file);
    paths_finish(&paths);
}

struct config *config_load(const char *file, enum config_purpose purpose,
                           struct config_report *ret_report)
{
    *ret_report = (struct config_report){0};
    struct config *config = calloc(1, sizeof(*config));
    if (!config) {
        ret_report->failed = true;
        return NULL;
    }
    config->places = calloc(SETTING_COUNT, sizeof(*config->places));
    if (config->places)
        load(file, purpose, config, ret_report);
    else
        ret_report->failed = true;
    if (has_fault(ret_report)) {
        config_destroy(config);
        return NULL;
    }
    warn(config, ret_report);
    return config;
}

void config_destroy(struct config *config)
{
    if (!config)
        return;
    api_keys_destroy(config->api_keys);
    api_keys_destroy(config->admin_keys);
    wipe_free(config->clear_api_key);
    free(config->queue_dir);
    wipe_free(config->queue_key);
    smarthosts_free(config->smarthosts, config->smarthost_count);
    free(config->smtp_helo);
    free(config->mail_from);
    free(config->reply_to);
    for (size_t i = 0; i < config->lifetime_count; i++)
        free(config->lifetimes[i].type);
    free(config->lifetimes);
    free(config->templates_dir);
    free(config->normaliser);
    for (size_t i = 0; config->routes && i < config->route_count; i++) {
        struct config_route *route = &config->routes[i];
        free(route->name);
        free(route->path);
        free(route->normaliser);
        for (size_t j = 0; route->keys && route->keys[j]; j++)
            free(route->keys[j]);
        free(route->keys);
        free(route->defaults);
        free(route->samples_dir);
    }
    free(config->routes);
    free(config->locale);
    free(config->timezone);
    free(config->composer_path);
    free(config->deliverer_path);
    free(config->samples_dir);
    for (size_t i = 0; config->places && i < SETTING_COUNT; i++)
        free(config->places[i]);
    free(config->places);
    for (char **wiped = config->wiped; wiped && *wiped; wiped++)
        wipe_free(*wiped);
    free(config->wiped);
    free(config);
}

const char *config_place(const struct config *config, const char *name)
{
    bool is_file;
    int number = setting_find(name, &is_file);
    return number < 0 || !config->places ? name : config->places[number];
}

void config_print_settings(void)
{
    printf("%-28s %-42s %s\n", "VARIABLE", "DEFAULT", "IS");
    printf("%-28s %-42s %s\n", "RELAY_CONFIG", "none", "configuration file, as --config");
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *setting = &config_settings[i];
        char variable[SETTING_VARIABLE_SIZE];
        setting_variable(setting, variable);
        const char *standard = setting->shown      ? setting->shown
                               : setting->standard ? setting->standard
                               : setting->needed   ? "none, needed"
                                                   : "none";
        printf("%-28s %-42s %s%s\n", variable, standard, setting->help,
               setting->secret ? " (or …_FILE)" : "");
    }
}
