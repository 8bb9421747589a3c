#include "relay/children/composer_session.h"

#include "relay/config/config.h"

struct child_session *composer_session_create(const char *path, struct error *err)
{
    return child_session_create("composer", path, PROCESS_HEAP_QUICK, NULL, 0, err);
}

// [{name, normaliser, defaults}, ...]; NULL: no memory, or a text is no UTF-8.
static json_t *pack_routes(const struct config *config)
{
    json_t *routes = json_array();
    int failed = 0;
    for (size_t i = 0; i < config->route_count; i++) {
        const struct config_route *route = &config->routes[i];
        json_t *defaults = route->defaults ? json_loads(route->defaults, 0, NULL) : json_null();
        failed |= json_array_append_new(routes, json_pack("{s:s, s:s, s:o}", "name", route->name,
                                                          "normaliser", route->normaliser,
                                                          "defaults", defaults));
    }
    if (!failed)
        return routes;
    json_decref(routes);
    return NULL;
}

json_t *composer_init_header(const struct config *config)
{
    json_t *lifetimes = json_object();
    for (size_t i = 0; i < config->lifetime_count; i++)
        json_object_set_new(lifetimes, config->lifetimes[i].type,
                            json_integer(config->lifetimes[i].ms));
    json_t *headers =
        config->mail_headers ? json_loads(config->mail_headers, 0, NULL) : json_null();
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s?, s:o, s:o, s:o}", "op", "init",
                     "templates_dir", config->templates_dir, "default_locale", config->locale,
                     "timezone", config->timezone, "mail_from", config->mail_from, "reply_to",
                     config->reply_to, "lifetimes", lifetimes, "headers", headers, "routes",
                     pack_routes(config));
}
