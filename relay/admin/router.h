// router.h - which request to the admin API is what, and what it takes.
#ifndef RELAY_ADMIN_ROUTER_H
#define RELAY_ADMIN_ROUTER_H

#include <stdbool.h>

#include "queue/queue.h"
#include "relay/base/span.h"

enum admin_what {
    ADMIN_LIST,       // GET /admin/messages
    ADMIN_SHOW,       // GET /admin/messages/{id}
    ADMIN_STATS,      // GET /admin/stats
    ADMIN_ACT,        // POST /admin/messages/{id}/{act}
    ADMIN_ACT_ON_ALL, // POST /admin/messages/{act}
    ADMIN_SMARTHOSTS, // GET /admin/smarthosts
    ADMIN_PAUSE,      // POST /admin/smarthosts/{name}/pause
    ADMIN_RESUME,     // POST /admin/smarthosts/{name}/resume
    ADMIN_METRICS,    // GET /metrics
    ADMIN_REKEY,      // POST /admin/queue/rekey, by the folder's owner alone
    ADMIN_BACKUP,     // POST /admin/queue/backup, likewise
    ADMIN_CHECK,      // POST /admin/queue/check, likewise: a copy to be looked at, then removed
};

struct admin_route {
    enum admin_what what;
    const char *allow;  // the methods, as in an Allow header
    bool operates;      // the role `operate` is needed
    enum queue_act act; // of ADMIN_ACT and ADMIN_ACT_ON_ALL
    struct span name;   // the id, or a smarthost's name, as it stands in path; of the others empty
};

enum admin_match { ADMIN_FOUND, ADMIN_NO_PATH, ADMIN_NO_METHOD };

// by_owner: it came by the control socket. *ret_route is set with ADMIN_FOUND and ADMIN_NO_METHOD,
// and borrows path.
enum admin_match admin_route_find(const char *method, const char *path, bool by_owner,
                                  struct admin_route *ret_route);

#endif
