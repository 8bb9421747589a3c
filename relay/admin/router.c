#include "relay/admin/router.h"

#include <string.h>

#define GET "GET, HEAD"
#define POST "POST"
#define NO_NAME ((struct span){"", 0})

// Paths without anything that varies.
static const struct {
    const char *path;
    enum admin_what what;
    bool operates, owner_only;
} FIXED[] = {
    {.path = "/admin/messages", .what = ADMIN_LIST},
    {.path = "/admin/stats", .what = ADMIN_STATS},
    {.path = "/admin/smarthosts", .what = ADMIN_SMARTHOSTS},
    {.path = "/metrics", .what = ADMIN_METRICS},
    {.path = "/admin/queue/rekey", .what = ADMIN_REKEY, .operates = true, .owner_only = true},
    {.path = "/admin/queue/backup", .what = ADMIN_BACKUP, .operates = true, .owner_only = true},
    {.path = "/admin/queue/check", .what = ADMIN_CHECK, .operates = true, .owner_only = true},
};

static bool find_fixed(struct span path, bool by_owner, struct admin_route *ret_route)
{
    for (size_t i = 0; i < sizeof(FIXED) / sizeof(FIXED[0]); i++) {
        if (!span_is(path, FIXED[i].path) || (FIXED[i].owner_only && !by_owner))
            continue;
        *ret_route = (struct admin_route){.what = FIXED[i].what,
                                          .allow = FIXED[i].operates ? POST : GET,
                                          .operates = FIXED[i].operates,
                                          .name = NO_NAME};
        return true;
    }
    return false;
}

static bool find_act(struct span word, enum queue_act *ret_act)
{
    for (int i = 0; i < QUEUE_ACT_COUNT; i++) {
        if (span_is(word, queue_act_name((enum queue_act)i))) {
            *ret_act = (enum queue_act)i;
            return true;
        }
    }
    return false;
}

// rest: what stands behind "/admin/messages/".
static bool find_message(struct span rest, struct admin_route *ret_route)
{
    struct span whole = rest, name = span_cut(&rest, '/');
    bool is_one_word = name.size == whole.size;
    *ret_route = (struct admin_route){.allow = POST, .operates = true, .name = NO_NAME};
    if (is_one_word && find_act(name, &ret_route->act)) {
        ret_route->what = ADMIN_ACT_ON_ALL;
        return true;
    }
    ret_route->name = name;
    if (is_one_word) {
        ret_route->what = ADMIN_SHOW;
        ret_route->allow = GET;
        ret_route->operates = false;
        return name.size > 0;
    }
    ret_route->what = ADMIN_ACT;
    return name.size > 0 && find_act(rest, &ret_route->act);
}

// rest: what stands behind "/admin/smarthosts/".
static bool find_smarthost(struct span rest, struct admin_route *ret_route)
{
    struct span name = span_cut(&rest, '/');
    bool pauses = span_is(rest, "pause");
    *ret_route = (struct admin_route){
        .what = pauses ? ADMIN_PAUSE : ADMIN_RESUME, .allow = POST, .operates = true, .name = name};
    return name.size > 0 && (pauses || span_is(rest, "resume"));
}

// Methods are told apart byte for byte (RFC 9110 §9.1).
static bool is_allowed(const struct admin_route *route, const char *method)
{
    if (route->operates)
        return strcmp(method, "POST") == 0;
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

enum admin_match admin_route_find(const char *method, const char *path, bool by_owner,
                                  struct admin_route *ret_route)
{
    static const char MESSAGES[] = "/admin/messages/", SMARTHOSTS[] = "/admin/smarthosts/";
    struct span rest = {path, strlen(path)};
    bool found;
    if (strncmp(path, MESSAGES, sizeof(MESSAGES) - 1) == 0)
        found = span_skip(&rest, MESSAGES) && find_message(rest, ret_route);
    else if (strncmp(path, SMARTHOSTS, sizeof(SMARTHOSTS) - 1) == 0)
        found = span_skip(&rest, SMARTHOSTS) && find_smarthost(rest, ret_route);
    else
        found = find_fixed(rest, by_owner, ret_route);
    if (!found)
        return ADMIN_NO_PATH;
    return is_allowed(ret_route, method) ? ADMIN_FOUND : ADMIN_NO_METHOD;
}
