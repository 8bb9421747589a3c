// The setting `routes`: an object of further paths that take payloads, by their names.
#include <ctype.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/cleanup.h"
#include "relay/base/names.h"
#include "relay/config/parts.h"

#define KRATOS "kratos"

enum { ROUTES_MAX = 32, NAME_MAX_SIZE = 64, PATH_MAX_SIZE = 255, WORD_MAX = 64 };

// What is being made, and of which route.
struct making {
    struct config *config;
    struct config_report *report;
    const char *where;            // where the setting was found
    const char *normaliser_where; // where RELAY_NORMALISER was given, or NULL
    const char *name;
};

static void fault(const struct making *making, const char *member, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void fault(const struct making *making, const char *member, const char *format, ...)
{
    AUTO_FREE char *what = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&what, format, args) < 0)
        what = NULL;
    va_end(args);
    if (what)
        config_report_add(making->report, true, making->where, "%s%s%s %s", making->name,
                          *member ? "." : "", member, what);
    else
        making->report->failed = true;
}

// The known name most like this one, or NULL where none is.
static const char *nearest_of(const char *name, const char *const *known)
{
    const char *nearest = NULL;
    size_t best = strlen(name) / 2 + 1; // farther than that is no likeness
    for (; *known; known++) {
        size_t distance = names_distance(name, *known);
        if (distance < best) {
            best = distance;
            nearest = *known;
        }
    }
    return nearest;
}

// Reports every member of object whose name is not among known.
static void look_for_unknown(const struct making *making, const char *prefix, json_t *object,
                             const char *const *known)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        bool is_known = false;
        for (size_t i = 0; known[i] && !is_known; i++)
            is_known = strcmp(key, known[i]) == 0;
        if (is_known)
            continue;
        AUTO_FREE char *member = NULL;
        if (asprintf(&member, "%s%s", prefix, key) < 0)
            member = NULL;
        const char *nearest = nearest_of(key, known);
        fault(making, member ? member : key,
              nearest ? "is not known; did you mean %s?" : "is not known%s",
              nearest ? nearest : "");
    }
}

// A member, or NULL where it is absent or null.
static json_t *member_of(const json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);
    return json_is_null(value) ? NULL : value;
}

static bool holds_control(const char *text)
{
    for (; *text; text++)
        if (iscntrl((unsigned char)*text))
            return true;
    return false;
}

// Replaces *text, which goes into log lines, by a member that is there; reports what is no text.
static void take_text(const struct making *making, const json_t *route, const char *member,
                      char **text)
{
    const json_t *value = member_of(route, member);
    if (!value)
        return;
    if (!json_is_string(value) || json_string_length(value) == 0) {
        fault(making, member, "is no text");
    } else if (holds_control(json_string_value(value))) {
        fault(making, member, "holds a control character");
    } else {
        free(*text);
        *text = strdup(json_string_value(value));
        if (!*text)
            making->report->failed = true;
    }
}

// ---- path ---------------------------------------------------------------------------------------

static bool is_below(const char *path, const char *folder)
{
    size_t size = strlen(folder);
    return strncmp(path, folder, size) == 0 && (path[size] == '\0' || path[size] == '/');
}

// Paths are matched byte for byte, so one that a proxy may write in another way is none for us.
static const char *path_fault(const char *path)
{
    if (path[0] != '/')
        return "does not begin with '/'";
    if (strlen(path) > PATH_MAX_SIZE)
        return "is too long";
    for (const char *at = path; *at; at++)
        if (*at <= ' ' || *at > '~' || strchr("%?#", *at))
            return "is not of printable ASCII without spaces, '%', '?' and '#'";
    for (const char *at = path; at; at = strchr(at + 1, '/')) {
        size_t size = strcspn(at + 1, "/");
        bool is_dots = (size == 1 && at[1] == '.') || (size == 2 && at[1] == '.' && at[2] == '.');
        if (is_dots || (size == 0 && at[1] == '/'))
            return "holds '//', '/./' or '/../'";
    }
    if (is_below(path, "/health") || is_below(path, "/admin"))
        return "is below /health or /admin";
    return NULL;
}

static void take_path(const struct making *making, const json_t *json, struct config_route *route)
{
    take_text(making, json, "path", &route->path);
    if (!route->path) {
        if (!member_of(json, "path"))
            fault(making, "path", "is needed");
        return;
    }
    const char *what = path_fault(route->path);
    if (what)
        fault(making, "path", "%s", what);
}

// ---- keys ---------------------------------------------------------------------------------------

static bool is_key(const struct api_keys *keys, const char *name)
{
    struct api_key_entry key;
    for (size_t place = 0; api_keys_at(keys, place, &key); place++)
        if (strcmp(key.name, name) == 0)
            return true;
    return false;
}

static void take_keys(const struct making *making, const json_t *json, struct config_route *route)
{
    json_t *names = member_of(json, "keys"), *name;
    if (!names)
        return;
    if (!json_is_array(names) || json_array_size(names) == 0) {
        fault(making, "keys", "is no list of names; leave it out to allow every key");
        return;
    }
    route->keys = calloc(json_array_size(names) + 1, sizeof(*route->keys));
    size_t index, count = 0;
    json_array_foreach(names, index, name)
    {
        const char *text = json_string_value(name);
        // What is wrong with the keys themselves was reported in their place.
        const struct api_keys *known = making->config->api_keys;
        if (!text)
            fault(making, "keys", "is no list of names; leave it out to allow every key");
        else if (known && !is_key(known, text))
            // By its place: it may be a key that stands where its name should.
            fault(making, "keys", "names at place %zu what is no key's name in api_key", index + 1);
        else if (route->keys && (route->keys[count] = strdup(text)))
            count++;
        else
            making->report->failed = true;
    }
}

// ---- defaults -----------------------------------------------------------------------------------

// As the composer takes them: a short word of printable ASCII.
static bool is_word(const json_t *value)
{
    const char *text = json_string_value(value);
    if (!text || !*text || json_string_length(value) > WORD_MAX)
        return false;
    for (; *text; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

static bool is_minutes(const json_t *value)
{
    return json_is_number(value) && json_number_value(value) > 0;
}

// As keys of a canonical mail, where a default language is no wish: it has a name of its own.
static char *defaults_text(json_t *defaults)
{
    json_auto_t *keys = json_copy(defaults);
    json_t *locale = json_object_get(defaults, "locale");
    if (!keys || (locale && (json_object_set(keys, "default_locale", locale) != 0 ||
                             json_object_del(keys, "locale") != 0)))
        return NULL;
    return json_dumps(keys, JSON_COMPACT);
}

static void take_defaults(const struct making *making, const json_t *json,
                          struct config_route *route)
{
    static const struct {
        const char *name;
        bool (*is_valid)(const json_t *value);
        const char *what;
    } rules[] = {
        {"template", is_word, "is no short word"},
        {"locale", is_word, "is no language, like 'de'"},
        {"timezone", is_word, "is no short word"},
        {"brand", is_word, "is no short word"},
        {"expires_in_minutes", is_minutes, "is no number above 0"},
    };
    static const char *const known[] = {"template",           "locale", "timezone", "brand",
                                        "expires_in_minutes", NULL};
    json_t *defaults = member_of(json, "defaults");
    if (!defaults)
        return;
    if (!json_is_object(defaults)) {
        fault(making, "defaults", "is no object");
        return;
    }
    look_for_unknown(making, "defaults.", defaults, known);
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        const json_t *value = member_of(defaults, rules[i].name);
        char member[64];
        snprintf(member, sizeof(member), "defaults.%s", rules[i].name);
        if (value && !rules[i].is_valid(value))
            fault(making, member, "%s", rules[i].what);
    }
    route->defaults = defaults_text(defaults);
    if (!route->defaults)
        making->report->failed = true;
}

// ---- routes -------------------------------------------------------------------------------------

static bool name_is_valid(const char *name)
{
    size_t size = strlen(name);
    for (const char *at = name; *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr("-_.", *at))
            return false;
    return size > 0 && size <= NAME_MAX_SIZE;
}

static void take_route(const struct making *making, json_t *json, struct config_route *route)
{
    static const char *const known[] = {"path", "normaliser", "keys", "defaults", "samples", NULL};
    if (!json_is_object(json)) {
        fault(making, "", "is no object");
        return;
    }
    look_for_unknown(making, "", json, known);
    take_path(making, json, route);
    if (making->normaliser_where && strcmp(making->name, KRATOS) == 0 &&
        member_of(json, "normaliser"))
        fault(making, "normaliser", "is given by %s already", making->normaliser_where);
    take_text(making, json, "normaliser", &route->normaliser);
    if (!route->normaliser && !member_of(json, "normaliser"))
        fault(making, "normaliser", "is needed");
    take_keys(making, json, route);
    take_defaults(making, json, route);
    take_text(making, json, "samples", &route->samples_dir);
}

static void take_routes(struct making *making, json_t *document)
{
    struct config *config = making->config;
    const char *key;
    json_t *value;
    json_object_foreach(document, key, value)
    {
        struct config_route *route = &config->routes[0];
        making->name = key;
        if (!name_is_valid(key)) {
            making->name = "a name";
            fault(making, "", "is not of 1 to %d letters, digits, '-_.'", NAME_MAX_SIZE);
            continue;
        }
        if (json_is_null(value))
            continue;
        if (strcmp(key, KRATOS) != 0) {
            if (config->route_count == ROUTES_MAX) {
                fault(making, "", "is one more than %d routes", ROUTES_MAX);
                return;
            }
            route = &config->routes[config->route_count++];
            route->name = strdup(key);
            making->report->failed |= !route->name;
        }
        take_route(making, value, route);
    }
}

static void look_for_same_paths(struct making *making)
{
    const struct config *config = making->config;
    for (size_t i = 0; i < config->route_count; i++)
        for (size_t j = 0; j < i; j++) {
            const struct config_route *one = &config->routes[j], *other = &config->routes[i];
            making->name = other->name ? other->name : "";
            if (one->path && other->path && strcmp(one->path, other->path) == 0)
                fault(making, "path", "is that of %s as well", one->name ? one->name : "");
        }
}

// Kratos' own route, which needs no configuration.
static bool make_kratos_route(const struct config *config, struct config_route *route)
{
    route->name = strdup(KRATOS);
    route->path = strdup("/kratos/webhook");
    // Where there is none it was faulty, which was reported.
    route->normaliser = config->normaliser ? strdup(config->normaliser) : NULL;
    route->samples_dir = strdup(config->samples_dir);
    return route->name && route->path && (route->normaliser || !config->normaliser) &&
           route->samples_dir;
}

// What the whole is read from names one normaliser as well: it is Kratos'.
static bool keep_kratos_normaliser(struct config *config)
{
    const char *chosen = config->routes[0].normaliser;
    if (!chosen || (config->normaliser && strcmp(config->normaliser, chosen) == 0))
        return true;
    free(config->normaliser);
    config->normaliser = strdup(chosen);
    return config->normaliser != NULL;
}

void config_make_routes(struct config *config, const char *text, const char *normaliser_where,
                        struct config_report *report)
{
    config->routes = calloc(ROUTES_MAX, sizeof(*config->routes));
    config->route_count = config->routes ? 1 : 0;
    if (!config->routes || !make_kratos_route(config, &config->routes[0])) {
        report->failed = true;
        return;
    }
    if (!text)
        return;
    struct making making = {.config = config,
                            .report = report,
                            .where = config_place(config, "routes"),
                            .normaliser_where = normaliser_where,
                            .name = ""};
    json_error_t error;
    json_auto_t *document = json_loads(text, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!document) {
        config_report_add(report, true, making.where, "is no JSON, line %d column %d: %s",
                          error.line, error.column, error.text);
    } else if (!json_is_object(document)) {
        config_report_add(report, true, making.where, "is not an object of routes");
    } else {
        take_routes(&making, document);
        look_for_same_paths(&making);
        if (!keep_kratos_normaliser(config))
            report->failed = true;
    }
}

void config_routes_free(struct config_route *routes, size_t count)
{
    for (size_t i = 0; routes && i < count; i++) {
        free(routes[i].name);
        free(routes[i].path);
        free(routes[i].normaliser);
        for (char **key = routes[i].keys; key && *key; key++)
            free(*key);
        free(routes[i].keys);
        free(routes[i].defaults);
        free(routes[i].samples_dir);
    }
    free(routes);
}
