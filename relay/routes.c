#include "relay/routes.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static const struct route routes[] = {
    {"/kratos/webhook", ROUTE_INTAKE, "kratos", "POST"},
    {"/health/live", ROUTE_LIVE, NULL, "GET, HEAD"},
    {"/health/alive", ROUTE_LIVE, NULL, "GET, HEAD"}, // Kratos' own name for it
    {"/health/ready", ROUTE_READY, NULL, "GET, HEAD"},
};

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

enum route_match routes_match(const char *method, const char *path, const struct route **ret_route)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (strcmp(routes[i].path, path) != 0)
            continue;
        *ret_route = &routes[i];
        return is_allowed(routes[i].allow, method) ? ROUTE_FOUND : ROUTE_NO_METHOD;
    }
    return ROUTE_NO_PATH;
}
