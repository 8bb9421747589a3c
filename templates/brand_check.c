// A brand's values stand in style attributes, links and headers of every mail, where escaping
// alone does not keep a slip of the pen from becoming something else, so each has one strict form.
#include "templates/brand_check.h"

#include <ctype.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include "relay/base/names.h"
#include "templates/color.h"
#include "templates/fault.h"
#include "templates/mail_type.h"
#include "templates/plain_text.h"
#include "templates/text_layout.h"
#include "templates/value.h"

// Keys nearer than that to one of ours are taken for it, misspelt ("colour", "logoUrl").
#define LIKENESS_MAX 2
#define CLIENT_SIZE_MAX 255
#define LOCALE_SIZE_MAX 64

static size_t line_of(const struct source *source, const char *key)
{
    const char *const keys[] = {key, NULL};
    return source_line_of(source, keys);
}

// ---- single values --------------------------------------------------------------------------

static bool is_one_line(const json_t *value)
{
    const char *text = json_string_value(value);
    size_t size = json_string_length(value);
    if (!text || plain_text_is_blank(text, size) ||
        plain_text_hidden(text, size, PLAIN_TEXT_JOINERS))
        return false;
    for (size_t i = 0; i < size; i++) {
        if (text_layout_control(text + i, size - i) > 0)
            return false;
    }
    return true;
}

static bool is_one_line_or_null(const json_t *value)
{
    return json_is_null(value) || is_one_line(value);
}

static bool is_color(const json_t *value)
{
    const char *text = json_string_value(value);
    return text && json_string_length(value) == strlen(text) && color_is_valid(text);
}

static bool is_color_or_null(const json_t *value)
{
    return json_is_null(value) || is_color(value);
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

static bool is_address(const json_t *value)
{
    const char *text = json_string_value(value);
    return json_is_null(value) ||
           (text && (strcmp(text, "formal") == 0 || strcmp(text, "informal") == 0));
}

static bool is_locale(const json_t *value)
{
    const char *text = json_string_value(value);
    size_t size = json_string_length(value);
    if (json_is_null(value))
        return true;
    if (!text || size > LOCALE_SIZE_MAX || !isalpha((unsigned char)text[0]))
        return false;
    for (size_t i = 0; i < size; i++) {
        if (!isalnum((unsigned char)text[i]) && text[i] != '-')
            return false;
    }
    return true;
}

// ---- lists and maps -------------------------------------------------------------------------

static bool is_null_or_list(const json_t *value)
{
    // An empty list could mean any host or none; so it must not stand there.
    return json_is_null(value) || json_array_size(value) > 0;
}

static bool is_list(const json_t *value)
{
    return json_is_array(value);
}

static bool is_flag_or_map(const json_t *value)
{
    return json_is_boolean(value) || json_is_object(value);
}

// "login.acme.example", "*.acme.example", "127.0.0.1", "[::1]". "*.example" is refused: whole
// top-level domains are everybody's.
static bool is_host(const json_t *value)
{
    const char *host = json_string_value(value);
    if (!host || json_string_length(value) >= VALUE_HOST_SIZE)
        return false;
    bool is_wildcard = strncmp(host, "*.", 2) == 0;
    if (is_wildcard)
        host += 2;
    if (is_wildcard && !strchr(host, '.'))
        return false;
    return value_is_host(host) && host[strlen(host) - 1] != '.' &&
           strlen(host) + 2 * is_wildcard == json_string_length(value);
}

// What a mail can name as its brand; another would never be asked for.
static bool is_client(const json_t *value)
{
    const char *text = json_string_value(value);
    size_t size = json_string_length(value);
    if (size == 0 || size > CLIENT_SIZE_MAX)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    }
    return true;
}

static void check_elements(const json_t *own, const char *key,
                           bool (*is_good)(const json_t *element), const char *what,
                           const struct source *source, json_t *faults)
{
    size_t index;
    const json_t *element;
    json_array_foreach(json_object_get(own, key), index, element)
    {
        const char *text = json_string_value(element);
        if (!is_good(element))
            fault_at(faults, source->path, line_of(source, key), "%s: \"%s\" %s", key,
                     text ? text : "?", what);
    }
}

static void check_code_in_subject(json_t *own, const struct source *source, json_t *faults)
{
    static const char map_key[] = "code_in_subject";
    const char *type;
    const json_t *value;
    json_object_foreach(json_object_get(own, map_key), type, value)
    {
        const char *const keys[] = {map_key, type, NULL};
        size_t line = source_line_of(source, keys);
        if (!json_is_boolean(value))
            fault_at(faults, source->path, line, "%s: %s must be true or false", map_key, type);
        else if (mail_type_need(type) != NEED_CODE)
            fault_at(faults, source->path, line, "%s: %s is no type of mail with a code", map_key,
                     type);
    }
}

// ---- all of a file --------------------------------------------------------------------------

// What brand.json leaves out is not there, for frames to ask; the colour is then the shipped one.
static const struct rule {
    const char *key;
    bool (*is_good)(const json_t *value);
    const char *what;
} RULES[] = {
    {"name", is_one_line_or_null,
     "name is needed, on one line and all to be seen; or null, for the sender's own"},
    {"color", is_color, "color must be of the form #rrggbb"},
    {"text_on_color", is_color_or_null,
     "text_on_color must be of the form #rrggbb, or null for black or white"},
    {"logo_url", is_logo, "logo_url must be an https:// URL, or null"},
    {"support_url", is_support, "support_url must be an https:, http: or mailto: URL, or null"},
    {"from_name", is_one_line_or_null,
     "from_name must be a text on one line, all to be seen, or null"},
    {"reply_to", is_one_line_or_null, "reply_to must be an address on one line, or null"},
    {"link_hosts", is_null_or_list, "link_hosts must be a list of one host or more, or null"},
    {"code_in_subject", is_flag_or_map,
     "code_in_subject must be true, false, or an object from type to true or false"},
    {"address", is_address, "address must be \"formal\", \"informal\" or null"},
    {"locale", is_locale, "locale must be the tag of a catalog, or null"},
    {"clients", is_list, "clients must be a list of OAuth2 clients' ids"},
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

static void check_key(const char *key, const json_t *value, bool is_default,
                      const struct source *source, json_t *faults)
{
    const struct rule *rule = find_rule(key);
    const struct rule *meant = rule ? NULL : nearest_rule(key);
    if (rule && !rule->is_good(value))
        fault_at(faults, source->path, line_of(source, key), "%s", rule->what);
    else if (meant)
        fault_at(faults, source->path, line_of(source, key), "%s is not known; did you mean %s?",
                 key, meant->key);
    else if (strcmp(key, "id") == 0)
        fault_at(faults, source->path, line_of(source, key), "id is the name of the brand's file");
    else if (is_default && strcmp(key, "clients") == 0)
        fault_at(faults, source->path, line_of(source, key),
                 "the default brand serves every client that no other one lists");
}

void brand_check_keys(json_t *own, bool is_default, const struct source *source, json_t *faults)
{
    const char *key;
    const json_t *value;
    json_object_foreach(own, key, value)
    {
        check_key(key, value, is_default, source, faults);
    }
    check_elements(own, "link_hosts", is_host,
                   "is no host such as \"login.acme.example\" or \"*.acme.example\"", source,
                   faults);
    check_elements(own, "clients", is_client, "is no OAuth2 client's id", source, faults);
    check_code_in_subject(own, source, faults);
}

void brand_check_whole(const json_t *own, const json_t *settings, bool is_default,
                       const struct source *source, json_t *faults)
{
    const json_t *name = json_object_get(settings, "name");
    if ((!name || json_is_null(name)) && (is_default || json_object_get(own, "name")))
        fault_at(faults, source->path, line_of(source, "name"), "%s", find_rule("name")->what);

    const json_t *color = json_object_get(settings, "color");
    const json_t *text = json_object_get(settings, "text_on_color");
    bool sets_text = json_object_get(own, "text_on_color");
    // What a brand has from brand.json alone was found there.
    if ((!sets_text && !json_object_get(own, "color")) || !is_color(color) || !is_color(text))
        return;
    double contrast = color_contrast(json_string_value(color), json_string_value(text));
    if (contrast < COLOR_CONTRAST_MIN)
        fault_at(faults, source->path, line_of(source, sets_text ? "text_on_color" : "color"),
                 "text_on_color %s has a contrast of %.2f:1 on color %s, and %.1f:1 is needed",
                 json_string_value(text), floor(contrast * 100) / 100, json_string_value(color),
                 COLOR_CONTRAST_MIN);
}
