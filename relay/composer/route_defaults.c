#include "relay/composer/route_defaults.h"

#include <stdio.h>

#include "relay/base/cleanup.h"
#include "relay/composer/route_table.h"
#include "templates/renderer.h"
#include "templates/zone.h"

static bool check_template(const struct renderer *renderer, const char *name, struct error *err)
{
    return renderer_knows(renderer, name) ||
           error_set(err, ERR_INPUT, "no catalog has texts for \"%s\"", name);
}

static bool check_brand(const struct renderer *renderer, const char *name, struct error *err)
{
    return renderer_has_brand(renderer, name) ||
           error_set(err, ERR_INPUT, "there is no brand and no client named \"%s\"", name);
}

static bool check_timezone(const struct renderer *renderer, const char *name, struct error *err)
{
    (void)renderer;
    char zone[ZONE_NAME_SIZE];
    return zone_resolve(name, zone) ||
           error_set(err, ERR_INPUT, "there is no time zone named \"%s\"", name);
}

// By the key in a canonical mail, and as the operator has called it.
static const struct {
    const char *key, *member;
    bool (*check)(const struct renderer *renderer, const char *name, struct error *err);
} CHECKS[] = {
    {"template", "template", check_template},
    {"default_locale", "locale", renderer_check_locale},
    {"timezone", "timezone", check_timezone},
    {"brand", "brand", check_brand},
};

static void add_fault(json_t *faults, const char *route, const char *member, const char *why)
{
    AUTO_FREE char *what = NULL;
    if (asprintf(&what, "%s.defaults.%s: %s", route, member, why) < 0)
        what = NULL;
    json_array_append_new(
        faults, json_pack("{s:s, s:s}", "where", "routes", "what", what ? what : "no memory"));
}

void route_defaults_check(const struct route_table *table, const struct renderer *renderer,
                          json_t *faults)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct composer_route *route = &table->routes[i];
        for (size_t k = 0; k < sizeof(CHECKS) / sizeof(CHECKS[0]); k++) {
            const char *name = json_string_value(json_object_get(route->defaults, CHECKS[k].key));
            struct error err;
            if (name && !CHECKS[k].check(renderer, name, &err))
                add_fault(faults, route->name, CHECKS[k].member, err.message);
        }
    }
}
