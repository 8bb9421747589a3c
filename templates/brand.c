#include "templates/brand.h"

#include <string.h>
#include <strings.h>

#include "templates/brand_loaded.h"

size_t brands_count(const struct brands *brands)
{
    return brands->count;
}

const struct brand *brands_at(const struct brands *brands, size_t index)
{
    return &brands->items[index];
}

size_t brand_line_of(const struct brand *brand, const char *key)
{
    return (size_t)json_integer_value(json_object_get(brand->lines, key));
}

const struct brand *brands_find(const struct brands *brands, const char *name)
{
    // json_integer_value() of what is not there is 0, the default one.
    const json_t *index = name ? json_object_get(brands->by_name, name) : NULL;
    return &brands->items[json_integer_value(index)];
}

bool brands_know(const struct brands *brands, const char *name)
{
    return json_object_get(brands->by_name, name);
}

json_t *brands_known_names(const struct brands *brands)
{
    // Which of these a brand leaves out is no matter for frames.
    json_t *names = json_pack("{s:n, s:n, s:n, s:n, s:n, s:n}", "id", "name", "color",
                              "text_on_color", "logo_url", "support_url");
    bool failed = !names;
    for (size_t i = 0; i < brands->count; i++) {
        const char *key;
        json_t *value;
        json_object_foreach(brands->items[i].view, key, value)
        {
            // An operator's own object or list is whatever it is, in one brand or another.
            bool is_more = json_is_object(value) || json_is_array(value);
            if (is_more || !json_object_get(names, key))
                failed |= json_object_set_new(names, key, is_more ? json_true() : json_null()) != 0;
        }
    }
    if (!failed)
        return names;
    json_decref(names);
    return NULL;
}

// ---- what a brand allows --------------------------------------------------------------------

static bool matches_host(const char *pattern, const char *host, size_t host_size)
{
    size_t pattern_size = strlen(pattern);
    if (pattern[0] != '*')
        return pattern_size == host_size && strncasecmp(pattern, host, host_size) == 0;
    // From its dot on, so that "*.acme.example" is no "xacme.example".
    size_t suffix_size = pattern_size - 1;
    return host_size > suffix_size &&
           strncasecmp(pattern + 1, host + host_size - suffix_size, suffix_size) == 0;
}

bool brand_names_hosts(const struct brand *brand)
{
    return json_is_array(json_object_get(brand->settings, "link_hosts"));
}

bool brand_allows_host(const struct brand *brand, const char *host)
{
    if (!brand_names_hosts(brand))
        return true;
    // "login.acme.example." is the same host, told that it is a whole name.
    size_t size = strlen(host);
    if (size > 0 && host[size - 1] == '.')
        size--;
    size_t index;
    const json_t *pattern;
    json_array_foreach(json_object_get(brand->settings, "link_hosts"), index, pattern)
    {
        if (json_is_string(pattern) && matches_host(json_string_value(pattern), host, size))
            return true;
    }
    return false;
}

bool brand_shows_code(const struct brand *brand, const char *template)
{
    const json_t *shows = json_object_get(brand->settings, "code_in_subject");
    return json_is_true(json_is_object(shows) ? json_object_get(shows, template) : shows);
}
