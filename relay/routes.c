#include "relay/routes.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "relay/api_key.h"
#include "relay/config/config.h"
#include "relay/metrics.h"

struct intake_route {
    struct route route;
    char *name, *path;
    char **keys; // names, NULL-terminated; NULL: every key
};

struct routes {
    atomic_size_t references;
    struct api_keys *keys;
    struct intake_route *intakes;
    size_t intake_count;
};

static const struct route health_routes[] = {
    {"/health/live", ROUTE_LIVE, NULL, "GET, HEAD"},
    {"/health/alive", ROUTE_LIVE, NULL, "GET, HEAD"}, // Kratos' own name for it
    {"/health/ready", ROUTE_READY, NULL, "GET, HEAD"},
};

static void intake_finish(struct intake_route *intake)
{
    free(intake->name);
    free(intake->path);
    for (char **key = intake->keys; key && *key; key++)
        free(*key);
    free(intake->keys);
}

static void routes_destroy(struct routes *routes)
{
    for (size_t i = 0; routes->intakes && i < routes->intake_count; i++)
        intake_finish(&routes->intakes[i]);
    free(routes->intakes);
    api_keys_destroy(routes->keys);
    free(routes);
}

static bool copy_keys(struct intake_route *intake, char *const *from)
{
    size_t count = 0;
    while (from[count])
        count++;
    intake->keys = calloc(count + 1, sizeof(*intake->keys));
    for (size_t i = 0; intake->keys && i < count; i++)
        if (!(intake->keys[i] = strdup(from[i])))
            return false;
    return intake->keys != NULL;
}

static bool copy_intake(struct intake_route *intake, const struct config_route *from)
{
    intake->name = strdup(from->name);
    intake->path = strdup(from->path);
    intake->route = (struct route){intake->path, ROUTE_INTAKE, intake->name, "POST"};
    return intake->name && intake->path && (!from->keys || copy_keys(intake, from->keys));
}

struct routes *routes_create(const struct config *config, struct error *err)
{
    struct routes *routes = calloc(1, sizeof(*routes));
    bool ok = routes != NULL;
    if (ok) {
        atomic_init(&routes->references, 1);
        routes->keys = api_keys_ref(config->api_keys);
        routes->intake_count = config->route_count;
        routes->intakes = calloc(config->route_count, sizeof(*routes->intakes));
        ok = routes->intakes != NULL;
    }
    for (size_t i = 0; ok && i < config->route_count; i++)
        ok = copy_intake(&routes->intakes[i], &config->routes[i]);
    for (size_t i = 0; ok && i < config->route_count; i++)
        metrics_route(config->routes[i].name);
    if (ok)
        return routes;
    if (routes)
        routes_destroy(routes);
    error_set(err, ERR_TEMPORARY, "no memory");
    return NULL;
}

struct routes *routes_ref(struct routes *routes)
{
    atomic_fetch_add(&routes->references, 1);
    return routes;
}

void routes_unref(struct routes *routes)
{
    if (routes && atomic_fetch_sub(&routes->references, 1) == 1)
        routes_destroy(routes);
}

// Is method one of "GET, HEAD"?
static bool is_allowed(const char *allow, const char *method)
{
    size_t size = strlen(method);
    for (const char *at = allow; size > 0; at += 2) {
        size_t word = strcspn(at, ",");
        if (word == size && memcmp(at, method, size) == 0)
            return true;
        at += word;
        if (*at == '\0')
            break;
    }
    return false;
}

static const struct route *find_path(const struct routes *routes, const char *path)
{
    for (size_t i = 0; i < routes->intake_count; i++)
        if (strcmp(routes->intakes[i].path, path) == 0)
            return &routes->intakes[i].route;
    for (size_t i = 0; i < sizeof(health_routes) / sizeof(health_routes[0]); i++)
        if (strcmp(health_routes[i].path, path) == 0)
            return &health_routes[i];
    return NULL;
}

enum route_match routes_match(const struct routes *routes, const char *method, const char *path,
                              const struct route **ret_route)
{
    const struct route *route = find_path(routes, path);
    if (!route)
        return ROUTE_NO_PATH;
    *ret_route = route;
    return is_allowed(route->allow, method) ? ROUTE_FOUND : ROUTE_NO_METHOD;
}

static const struct intake_route *intake_of(const struct routes *routes, const struct route *route)
{
    for (size_t i = 0; i < routes->intake_count; i++)
        if (&routes->intakes[i].route == route)
            return &routes->intakes[i];
    return NULL;
}

static bool allows(const struct intake_route *intake, const char *key_name)
{
    if (!intake->keys)
        return true;
    for (char *const *key = intake->keys; *key; key++)
        if (strcmp(*key, key_name) == 0)
            return true;
    return false;
}

enum route_admission routes_admit(const struct routes *routes, const struct route *route,
                                  const char *offered, size_t offered_size, int64_t wall_ms,
                                  const char **ret_key_name)
{
    const struct intake_route *intake = intake_of(routes, route);
    assert(intake);
    struct api_key_entry key;
    // A key that is absent is no key, whatever digests there are.
    if (offered_size == 0 || !api_keys_find(routes->keys, offered, offered_size, &key))
        return ROUTE_KEY_UNKNOWN;
    *ret_key_name = key.name;
    if (wall_ms > key.not_after_ms)
        return ROUTE_KEY_EXPIRED;
    return allows(intake, key.name) ? ROUTE_ADMITTED : ROUTE_KEY_NOT_ALLOWED;
}
