// Its values stand in style attributes and links of every mail, where escaping alone does not
// keep a slip of the pen from becoming something else, so each has one strict form.
#include "templates/brand.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "relay/base/names.h"
#include "templates/fault.h"
#include "templates/source.h"
#include "templates/value.h"

// Keys nearer than that to one of ours are taken for it, misspelt ("colour", "logoUrl").
#define LIKENESS_MAX 2

static bool is_one_line(const json_t *value)
{
    const char *text = json_string_value(value);
    if (!text || !*text)
        return false;
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    }
    return true;
}

static bool is_color(const json_t *value)
{
    const char *text = json_string_value(value);
    return text && json_string_length(value) == 7 && text[0] == '#' &&
           strspn(text + 1, "0123456789abcdefABCDEF") == 6;
}

static bool is_https(const json_t *value)
{
    const char *url;
    char host[VALUE_HOST_SIZE];
    return value_read_url(value, &url, host) && strncasecmp(url, "https:", 6) == 0;
}

static bool is_mailto(const json_t *value)
{
    const char *url = json_string_value(value);
    if (!url || strncasecmp(url, "mailto:", 7) != 0 || strlen(url) != json_string_length(value))
        return false;
    const char *at = strchr(url, '@');
    if (!at || at == url + 7 || !isalnum((unsigned char)at[1]))
        return false;
    for (; *url; url++) {
        if (*url <= ' ' || *url > '~' || strchr("\"'<>\\^`{|}", *url))
            return false;
    }
    return true;
}

static bool is_logo(const json_t *value)
{
    return json_is_null(value) || is_https(value);
}

static bool is_support(const json_t *value)
{
    const char *url;
    char host[VALUE_HOST_SIZE];
    return json_is_null(value) || value_read_url(value, &url, host) || is_mailto(value);
}

// Where brand.json leaves one out, a frame that uses it is at fault, and named as such.
static const struct rule {
    const char *key;
    bool (*is_good)(const json_t *value);
    const char *what;
    bool needed;
} RULES[] = {
    {"name", is_one_line, "name is needed, on one line; or null, for the sender's own", true},
    {"color", is_color, "color must be of the form #rrggbb", false},
    {"text_on_color", is_color, "text_on_color must be of the form #rrggbb", false},
    {"logo_url", is_logo, "logo_url must be an https:// URL, or null", false},
    {"support_url", is_support, "support_url must be an https:, http: or mailto: URL, or null",
     false},
};
#define RULE_COUNT (sizeof(RULES) / sizeof(RULES[0]))

static const struct rule *find_rule(const char *key)
{
    for (size_t i = 0; i < RULE_COUNT; i++) {
        if (strcmp(RULES[i].key, key) == 0)
            return &RULES[i];
    }
    return NULL;
}

// Frames see an operator's own keys, so only what looks like one of ours is a mistake.
static const struct rule *nearest_rule(const char *key)
{
    const struct rule *nearest = NULL;
    size_t best = LIKENESS_MAX + 1;
    for (size_t i = 0; i < RULE_COUNT; i++) {
        size_t distance = names_distance(key, RULES[i].key);
        if (distance < best) {
            best = distance;
            nearest = &RULES[i];
        }
    }
    return nearest;
}

static size_t line_of(const struct source *source, const char *key)
{
    const char *const keys[] = {key, NULL};
    return source_line_of(source, keys);
}

static void check(json_t *brand, const struct source *source, json_t *faults)
{
    for (size_t i = 0; i < RULE_COUNT; i++) {
        const json_t *value = json_object_get(brand, RULES[i].key);
        if (value ? !RULES[i].is_good(value) : RULES[i].needed)
            fault_at(faults, source->path, line_of(source, RULES[i].key), "%s", RULES[i].what);
    }
    const char *key;
    json_t *value;
    json_object_foreach(brand, key, value)
    {
        const struct rule *meant = find_rule(key) ? NULL : nearest_rule(key);
        if (meant)
            fault_at(faults, source->path, line_of(source, key),
                     "%s is not known; did you mean %s?", key, meant->key);
    }
}

json_t *brand_load(const char *dir, const char *name, json_t *faults)
{
    struct source source AUTO_SOURCE = {0};
    if (!source_read(dir, "brand.json", &source, faults))
        return NULL;
    json_t *brand = source_parse(&source, faults);
    if (!brand)
        return NULL;
    if (name && json_is_null(json_object_get(brand, "name")))
        json_object_del(brand, "name");
    if (name && !json_object_get(brand, "name") &&
        json_object_set_new(brand, "name", json_string(name)) != 0)
        fault_at(faults, source.path, 0, "the sender's name is not UTF-8");
    else
        check(brand, &source, faults);
    return brand;
}
