#include "relay/config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/cleanup.h"
#include "relay/base/process.h"
#include "relay/config/parts.h"
#include "relay/paths.h"

// What was found where, before it is checked.
struct sources {
    struct setting_values environment, file;
};

static bool is_for_mails(enum config_purpose purpose)
{
    return purpose == CONFIG_FOR_MAILS || purpose == CONFIG_FOR_TEMPLATES;
}

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
    if (!text && is_for_mails(purpose))
        text = setting->stand_in;
    config_fingerprints_take(config->fingerprints, number, text);
    if (!text) {
        if (setting->needed && !found->faulty && purpose == CONFIG_FOR_RELAY)
            config_report_add(report, true, variable, "is needed (%s)", setting->help);
        return;
    }
    struct error err = {0};
    if (setting->set && !setting->set(setting, config, text, &err))
        config_report_add(report, true, where, "%s", err.message);
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

// What was found for a setting, if anything: the variable wins.
static const struct setting_value *chosen(const struct sources *sources, size_t number)
{
    const struct setting_value *variable = &sources->environment.of[number];
    return variable->text || variable->faulty ? variable : &sources->file.of[number];
}

static const struct setting_value *chosen_by_name(const struct sources *sources, const char *name)
{
    bool is_file;
    return chosen(sources, (size_t)setting_find(name, &is_file));
}

// Files that a smarthost's URI names are found as all others are.
static bool place_smarthost_files(struct config *config)
{
    for (size_t i = 0; i < config->smarthost_count; i++) {
        char **const files[] = {&config->smarthosts[i].ca_file, &config->smarthosts[i].token_file};
        for (size_t j = 0; j < sizeof(files) / sizeof(files[0]); j++) {
            char *placed = *files[j] ? config_beside(config->file, *files[j]) : NULL;
            if (*files[j] && !placed)
                return false;
            free(*files[j]);
            *files[j] = placed;
        }
    }
    return true;
}

static void settle_all(const struct sources *sources, const struct paths *paths,
                       enum config_purpose purpose, struct config *config,
                       struct config_report *report)
{
    // No composer starts without a normaliser: where none is wanted, it is the default.
    bool any_normaliser = purpose == CONFIG_FOR_TEMPLATES;
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (setting_values_want(&sources->file, (int)i) ||
            (any_normaliser && config_settings[i].part == PART_NORMALISER))
            settle(i, chosen(sources, i), paths, purpose, config, report);
    const struct setting_value *uri = chosen_by_name(sources, "smtp_uri");
    bool is_of_file = uri >= sources->file.of && uri < sources->file.of + SETTING_COUNT;
    if (is_of_file && !place_smarthost_files(config))
        report->failed = true;
    if (report->failed || config_only_setting(purpose))
        return;
    const struct setting_value *normaliser = chosen_by_name(sources, "normaliser");
    config_make_routes(config, chosen_by_name(sources, "routes")->text,
                       normaliser->text ? normaliser->where : NULL, report);
    config->normaliser_in_routes = !normaliser->text && config->normaliser &&
                                   strcmp(config->normaliser, paths->normaliser) != 0;
}

// Reads the environment into sources, and finds out which file there is. old: NULL at the start.
static void read_environment(const char *file, const struct config *old, struct config *config,
                             struct sources *sources, struct config_report *report)
{
    AUTO_FREE char *named = NULL;
    if (old)
        config_reread_environment(old->wiped, &sources->environment, &config->wiped, report);
    else
        config_read_environment(&sources->environment, &named, &config->wiped, report);
    const char *known = old ? old->file : file ? file : named;
    config->file = known ? strdup(known) : NULL;
    if (known && !config->file)
        report->failed = true;
}

static void load(const char *file, enum config_purpose purpose, const struct config *old,
                 struct config *config, struct config_report *report)
{
    struct error err = {0};
    struct paths paths;
    if (!find_paths(config, &paths, &err)) {
        config_report_add(report, true, "courier-relay", "%s", err.message);
        return;
    }
    struct sources sources = {0};
    sources.environment.purpose = sources.file.purpose = purpose;
    if (old)
        sources.environment.kind = sources.file.kind = FILE_REGULAR;
    read_environment(file, old, config, &sources, report);
    const char *only = config_only_setting(purpose);
    bool is_known = only && chosen_by_name(&sources, only)->text;
    // What a file that cannot be read may have set is not to be missed.
    if (config->file && !is_known &&
        !config_read_file(config->file, paths.composer, &sources.file, report) &&
        purpose == CONFIG_FOR_RELAY)
        purpose = CONFIG_FOR_COMMAND;
    settle_all(&sources, &paths, purpose, config, report);
    setting_values_finish(&sources.environment);
    setting_values_finish(&sources.file);
    paths_finish(&paths);
}

// Beside it, since whoever holds it may not change it.
struct config_holders {
    size_t count;
    struct config *config;
};

static void destroy(struct config *config)
{
    api_keys_destroy(config->api_keys);
    api_keys_destroy(config->admin_keys);
    wipe_free(config->clear_api_key);
    free(config->queue_dir);
    wipe_free(config->queue_key);
    smarthosts_free(config->smarthosts, config->smarthost_count);
    free(config->smtp_helo);
    free(config->mail_from);
    free(config->reply_to);
    free(config->mail_headers);
    for (size_t i = 0; i < config->lifetime_count; i++)
        free(config->lifetimes[i].type);
    free(config->lifetimes);
    free(config->templates_dir);
    free(config->normaliser);
    config_routes_free(config->routes, config->route_count);
    free(config->locale);
    free(config->timezone);
    free(config->composer_path);
    free(config->deliverer_path);
    free(config->samples_dir);
    for (size_t i = 0; config->places && i < SETTING_COUNT; i++)
        free(config->places[i]);
    free(config->places);
    config_fingerprints_destroy(config->fingerprints);
    config_wiped_free(config->wiped);
    free(config->file);
    free(config->holders);
    free(config);
}

const struct config *config_hold(const struct config *config)
{
    if (config->holders)
        config->holders->count++;
    return config;
}

void config_release(const struct config *config)
{
    if (config && config->holders && --config->holders->count == 0)
        destroy(config->holders->config);
}

void config_destroy(struct config *config)
{
    config_release(config);
}

static struct config *create(const char *file, enum config_purpose purpose,
                             const struct config *old, struct config_report *ret_report)
{
    *ret_report = (struct config_report){0};
    struct config *config = calloc(1, sizeof(*config));
    if (!config) {
        ret_report->failed = true;
        return NULL;
    }
    config->holders = calloc(1, sizeof(*config->holders));
    if (!config->holders) {
        free(config);
        ret_report->failed = true;
        return NULL;
    }
    *config->holders = (struct config_holders){.count = 1, .config = config};
    config->places = calloc(SETTING_COUNT, sizeof(*config->places));
    config->fingerprints = config_fingerprints_create(old ? old->fingerprints : NULL);
    if (config->places && config->fingerprints)
        load(file, purpose, old, config, ret_report);
    else
        ret_report->failed = true;
    if (config_report_has_fault(ret_report)) {
        config_destroy(config);
        return NULL;
    }
    config_warn(config, ret_report);
    return config;
}

struct config *config_load(const char *file, enum config_purpose purpose,
                           struct config_report *ret_report)
{
    return create(file, purpose, NULL, ret_report);
}

struct config *config_reload(const struct config *old, struct config_report *ret_report)
{
    return create(NULL, CONFIG_FOR_RELAY, old, ret_report);
}

const char *config_place(const struct config *config, const char *name)
{
    bool is_file;
    int number = setting_find(name, &is_file);
    const char *place = number < 0 || !config->places ? NULL : config->places[number];
    return place ? place : name;
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
    puts("\nIn the configuration file they are written as mail_from for RELAY_MAIL_FROM. A file "
         "named\nthere without a leading '/' is looked for from the configuration file's folder, "
         "one named by\na variable from the working directory.");
}
