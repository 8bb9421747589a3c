// routes.h - method and path to what serves them. Paths are matched byte for byte.
#ifndef RELAY_ROUTES_H
#define RELAY_ROUTES_H

enum route_kind { ROUTE_INTAKE, ROUTE_LIVE, ROUTE_READY };

struct route {
    const char *path;
    enum route_kind kind;
    const char *name;  // of an intake: what the queue and the log call it
    const char *allow; // the methods served, as in an Allow header
};

enum route_match { ROUTE_FOUND, ROUTE_NO_PATH, ROUTE_NO_METHOD };

// The route of path: set for ROUTE_FOUND, and for ROUTE_NO_METHOD to say what is allowed.
enum route_match routes_match(const char *method, const char *path, const struct route **ret_route);

#endif
