#include "relay/http/response.h"

#include <stdint.h>
#include <string.h>

bool http_reply_closes(enum http_reply reply)
{
    return reply == REPLY_BAD_REQUEST || reply == REPLY_NOT_FOUND;
}

struct response {
    unsigned status;
    const char *body;
    bool is_constant; // the body; else it is copied
    bool is_last;
    struct http_header headers[3];
};

static enum MHD_Result send_response(struct MHD_Connection *connection, const struct response *from)
{
    // Persistent memory is never written to; the library's type only forgets to say so.
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(from->body), (void *)(uintptr_t)from->body,
        from->is_constant ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    bool ok = true;
    for (size_t i = 0; i < sizeof(from->headers) / sizeof(from->headers[0]); i++) {
        const struct http_header *header = &from->headers[i];
        if (header->value && *header->value)
            ok = ok && MHD_add_response_header(response, header->name, header->value) == MHD_YES;
    }
    if (from->is_last)
        ok = ok && MHD_add_response_header(response, "Connection", "close") == MHD_YES;
    enum MHD_Result result = ok ? MHD_queue_response(connection, from->status, response) : MHD_NO;
    MHD_destroy_response(response);
    return result;
}

enum MHD_Result http_send_reply(struct MHD_Connection *connection, enum http_reply reply,
                                struct http_header header, bool is_last)
{
    const char *body = http_reply_body(reply);
    const struct response response = {
        .status = http_reply_status(reply),
        .body = body,
        .is_constant = true,
        .is_last = is_last || http_reply_closes(reply),
        .headers = {{"Content-Type", *body ? "application/json" : NULL},
                    header,
                    {"X-Duplicate", reply == REPLY_DUPLICATE ? "true" : NULL}}};
    return send_response(connection, &response);
}

enum MHD_Result http_send_answer(struct MHD_Connection *connection,
                                 const struct http_answer *answer, bool is_last)
{
    if (!answer->body) // there was no memory for it
        return http_send_reply(connection, REPLY_UNAVAILABLE, (struct http_header){0}, is_last);
    const struct response response = {
        .status = answer->status,
        .body = answer->body,
        .is_last = is_last,
        .headers = {
            {"Content-Type", answer->content_type ? answer->content_type : "application/json"},
            {"Allow", answer->allow},
            {"Link", answer->link}}};
    return send_response(connection, &response);
}
