// query.h - what the query of a request to the admin API says, checked.
#ifndef RELAY_ADMIN_QUERY_H
#define RELAY_ADMIN_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/admin/router.h"
#include "relay/base/error.h"
#include "relay/http/server.h"
#include "relay/message_filter.h"

enum { ADMIN_PAGE_SIZE = 50, ADMIN_PAGE_SIZE_MAX = 1000, ADMIN_NOTE_MAX = 200 };

struct admin_query {
    struct message_filter filter;
    bool all, dry_run;
    size_t page_size;
    char page_token[QUEUE_ID_SIZE];    // empty: the first page
    char note[4 * ADMIN_NOTE_MAX + 1]; // why, for the audit log; empty: not told
};

// Takes those parameters that what is asked for knows. now_ms: the wall clock. False: *ret_name is
// the error's, "unknown_parameter" or "bad_parameter", and *err its message.
bool admin_query_read(struct admin_query *query, enum admin_what what, const struct http_call *call,
                      int64_t now_ms, const char **ret_name, struct error *err);

// The Link header to the page that begins behind next_id, with what else call says of the list.
// limit_left: how many are left of a limit; 0: there is none. Allocated; NULL: no memory.
char *admin_query_link(const struct http_parameter *parameters, size_t count, size_t limit_left,
                       const char *next_id);

#endif
