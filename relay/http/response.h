// response.h - an answer as the library takes it. Part of http_server.
#ifndef RELAY_HTTP_RESPONSE_H
#define RELAY_HTTP_RESPONSE_H

#include <microhttpd.h>
#include <stdbool.h>

#include "relay/http/reply.h"

struct http_header {
    const char *name, *value; // value NULL or empty: none
};

// Is nothing more heard from whoever is answered so? He is no client that we know.
bool http_reply_closes(enum http_reply reply);

// is_last: the connection is closed behind it, as it is behind some replies anyway.
enum MHD_Result http_send_reply(struct MHD_Connection *connection, enum http_reply reply,
                                struct http_header header, bool is_last);
enum MHD_Result http_send_answer(struct MHD_Connection *connection,
                                 const struct http_answer *answer, bool is_last);

#endif
