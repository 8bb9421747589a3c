// call.h - a request to the admin API, taken apart. Part of http_server.
#ifndef RELAY_HTTP_CALL_H
#define RELAY_HTTP_CALL_H

#include <microhttpd.h>
#include <stdbool.h>

#include "relay/http/server.h"

enum { HTTP_PARAMETERS_MAX = 32 };

// Does a request's target name more of them than are read? The library has no memory for some
// hundreds, and would close the connection without an answer.
bool http_parameters_are_too_many(const char *target);

// The parameters of a request's query, decoded. Begins as zeros; to be finished.
struct http_parameters {
    struct http_parameter all[HTTP_PARAMETERS_MAX];
    size_t count;
    bool failed; // too many, not encoded rightly, or no memory
};

// False, and failed: what the query says is not to be trusted.
bool http_parameters_read(struct http_parameters *parameters, struct MHD_Connection *connection);
void http_parameters_finish(struct http_parameters *parameters);

#endif
