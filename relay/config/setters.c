#include "relay/config/setters.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/base/number.h"

#define MEMBER(config, setting, type) ((type *)(void *)((char *)(config) + (setting)->offset))

enum { QUEUE_KEY_DIGITS = 64, LIFETIMES_MAX = 256, HELO_MAX = 255 };
#define SECOND_MS INT64_C(1000)

static bool no_memory(struct error *err)
{
    return error_set(err, ERR_TEMPORARY, "no memory");
}

static bool keep_text(const struct setting *setting, struct config *config, const char *text,
                      struct error *err)
{
    char *copy = strdup(text);
    if (!copy)
        return no_memory(err);
    *MEMBER(config, setting, char *) = copy;
    return true;
}

// A text goes into log lines, SMTP commands and headers, so it holds no control characters.
bool set_text(const struct setting *setting, struct config *config, const char *text,
              struct error *err)
{
    for (const char *at = text; *at; at++)
        if (iscntrl((unsigned char)*at))
            return error_set(err, ERR_INPUT, "holds a control character");
    return keep_text(setting, config, text, err);
}

// What the object holds is judged by whom it is for.
bool set_object(const struct setting *setting, struct config *config, const char *text,
                struct error *err)
{
    json_error_t error;
    json_auto_t *object = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!object && json_error_code(&error) == json_error_out_of_memory)
        return no_memory(err);
    if (!object)
        return error_set(err, ERR_INPUT, "is no JSON object: %s, in line %d", error.text,
                         error.line);
    if (!json_is_object(object))
        return error_set(err, ERR_INPUT, "is no JSON object");
    return keep_text(setting, config, text, err);
}

bool set_helo(const struct setting *setting, struct config *config, const char *text,
              struct error *err)
{
    for (const char *at = text; *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr("-._:[]", *at))
            return error_set(err, ERR_INPUT, "is no host name");
    if (strlen(text) > HELO_MAX)
        return error_set(err, ERR_INPUT, "has more than %d characters", HELO_MAX);
    if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0) // a folder's, where it ends a URL
        return error_set(err, ERR_INPUT, "is no host name");
    return set_text(setting, config, text, err);
}

bool set_listen(const struct setting *setting, struct config *config, const char *text,
                struct error *err)
{
    return endpoint_parse(text, MEMBER(config, setting, struct endpoint), err);
}

bool set_admin_listen(const struct setting *setting, struct config *config, const char *text,
                      struct error *err)
{
    config->admin_off = strcmp(text, "off") == 0;
    return config->admin_off || set_listen(setting, config, text, err);
}

bool set_api_key(const struct setting *setting, struct config *config, const char *text,
                 struct error *err)
{
    (void)setting;
    config->api_keys = api_keys_parse(text, false, err);
    if (config->api_keys)
        config->clear_api_key = api_keys_first_clear(text, clock_wall_ms());
    return config->api_keys != NULL;
}

bool set_admin_key(const struct setting *setting, struct config *config, const char *text,
                   struct error *err)
{
    (void)setting;
    config->admin_keys = api_keys_parse(text, true, err);
    return config->admin_keys != NULL;
}

bool set_queue_key(const struct setting *setting, struct config *config, const char *text,
                   struct error *err)
{
    static const char BETWEEN[] = ", \t\r\n"; // as queue/key_file.h has it
    for (const char *at = text + strspn(text, BETWEEN); *at; at += strspn(at, BETWEEN)) {
        size_t size = strcspn(at, BETWEEN);
        if (size != QUEUE_KEY_DIGITS || strspn(at, "0123456789abcdefABCDEF") < size)
            return error_set(err, ERR_INPUT, "is not keys of %d hexadecimal digits",
                             QUEUE_KEY_DIGITS);
        at += size;
    }
    return keep_text(setting, config, text, err);
}

bool set_smtp_uri(const struct setting *setting, struct config *config, const char *text,
                  struct error *err)
{
    (void)setting;
    return smarthosts_parse(text, &config->smarthosts, &config->smarthost_count, err);
}

bool set_number(const struct setting *setting, struct config *config, const char *text,
                struct error *err)
{
    int64_t number;
    if (!number_parse(text, strlen(text), setting->most, &number) || number < setting->least)
        return error_set(err, ERR_INPUT, "is not a number from %lld to %lld",
                         (long long)setting->least, (long long)setting->most);
    *MEMBER(config, setting, int64_t) = number;
    return true;
}

// As the operator would write it: in the largest unit that it is a whole number of.
static void write_duration(int64_t ms, char *ret_text, size_t size)
{
    static const struct {
        int64_t ms;
        const char *name;
    } UNITS[] = {{24 * 3600 * SECOND_MS, "d"},
                 {3600 * SECOND_MS, "h"},
                 {60 * SECOND_MS, "m"},
                 {SECOND_MS, "s"},
                 {1, "ms"}};
    size_t i = 0;
    while (ms % UNITS[i].ms != 0 || (ms == 0 && UNITS[i].ms > SECOND_MS))
        i++;
    snprintf(ret_text, size, "%lld%s", (long long)(ms / UNITS[i].ms), UNITS[i].name);
}

static bool out_of_bounds(const struct setting *setting, struct error *err)
{
    char least[32], most[32];
    write_duration(setting->least, least, sizeof(least));
    write_duration(setting->most, most, sizeof(most));
    return error_set(err, ERR_INPUT, "is not from %s to %s", least, most);
}

bool set_duration(const struct setting *setting, struct config *config, const char *text,
                  struct error *err)
{
    int64_t ms;
    if (!duration_parse(text, strlen(text), &ms))
        return error_set(err, ERR_INPUT, "is no duration, like 500ms, 15s, 15m or 1h30m");
    if (ms < setting->least || ms > setting->most)
        return out_of_bounds(setting, err);
    *MEMBER(config, setting, int64_t) = ms;
    return true;
}

static bool add_lifetime(struct config *config, const char *text, size_t size, struct error *err)
{
    const char *equals = memchr(text, '=', size);
    size_t type_size = equals ? (size_t)(equals - text) : 0;
    for (size_t i = 0; i < type_size; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("_-.", text[i]))
            return error_set(err, ERR_INPUT, "a type is not of letters, digits and '_'");
    int64_t ms;
    if (type_size == 0 || !duration_parse(equals + 1, size - type_size - 1, &ms) || ms == 0)
        return error_set(err, ERR_INPUT, "'%.*s' is not TYPE=DURATION, like login_code_valid=15m",
                         (int)size, text);
    for (size_t i = 0; i < config->lifetime_count; i++) {
        const char *known = config->lifetimes[i].type;
        if (known && strlen(known) == type_size && memcmp(known, text, type_size) == 0)
            return error_set(err, ERR_INPUT, "%s is given twice", known);
    }
    if (config->lifetime_count == LIFETIMES_MAX)
        return error_set(err, ERR_INPUT, "more than %d types", LIFETIMES_MAX);
    char *type = strndup(text, type_size);
    if (!type)
        return no_memory(err);
    config->lifetimes[config->lifetime_count++] = (struct config_lifetime){type, ms};
    return true;
}

bool set_lifetime(const struct setting *setting, struct config *config, const char *text,
                  struct error *err)
{
    (void)setting;
    config->lifetimes = calloc(LIFETIMES_MAX, sizeof(*config->lifetimes));
    if (!config->lifetimes)
        return no_memory(err);
    while (*text) {
        text += strspn(text, ", \t\r\n");
        size_t size = strcspn(text, ", \t\r\n");
        if (size > 0 && !add_lifetime(config, text, size, err))
            return false;
        text += size;
    }
    return true;
}

bool set_rates(const struct setting *setting, struct config *config, const char *text,
               struct error *err)
{
    return rates_parse(text, MEMBER(config, setting, struct rates), err);
}

bool set_log_format(const struct setting *setting, struct config *config, const char *text,
                    struct error *err)
{
    (void)setting;
    bool json = strcmp(text, "json") == 0;
    if (!json && strcmp(text, "text") != 0)
        return error_set(err, ERR_INPUT, "is neither json nor text");
    config->log_format = json ? LOG_JSON : LOG_TEXT;
    return true;
}

bool set_log_level(const struct setting *setting, struct config *config, const char *text,
                   struct error *err)
{
    (void)setting;
    static const char *const names[] = {[LOG_DEBUG] = "debug",
                                        [LOG_INFO] = "info",
                                        [LOG_WARNING] = "warning",
                                        [LOG_ERROR] = "error"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], text) == 0) {
            config->log_level = (enum log_level)i;
            return true;
        }
    }
    return error_set(err, ERR_INPUT, "is none of debug, info, warning and error");
}

// systemd gives a list separated by colons where a unit has several.
char *find_queue_dir(const struct paths *paths)
{
    (void)paths;
    const char *state = getenv("STATE_DIRECTORY");
    return state && *state ? strndup(state, strcspn(state, ":")) : strdup("./var");
}

char *find_helo(const struct paths *paths)
{
    (void)paths;
    char name[256];
    if (gethostname(name, sizeof(name)) < 0)
        return strdup("localhost");
    name[sizeof(name) - 1] = '\0';
    return strdup(name);
}

char *find_templates_dir(const struct paths *paths)
{
    return strdup(paths->templates_dir);
}

char *find_normaliser(const struct paths *paths)
{
    return strdup(paths->normaliser);
}
