#include "relay/compose_request.h"

#include "relay/base/clock.h"

json_t *compose_request_header(const struct compose_request *request)
{
    json_int_t elapsed_ms = clock_boot_ms() - request->received_boot_ms;
    json_t *header = json_pack(
        "{s:s, s:s, s:I, s:I}", "op", request->task == COMPOSE_RENDER ? "render" : "compose", "id",
        request->id, "elapsed_ms", elapsed_ms, "wall_ms", (json_int_t)clock_wall_ms());
    if (header && request->route && request->task != COMPOSE_RENDER)
        json_object_set_new(header, "route", json_string(request->route));
    if (header && request->task == COMPOSE_FALLBACK)
        json_object_set_new(header, "fallback", json_true());
    return header;
}

void compose_line_init(struct compose_line *line)
{
    *line = (struct compose_line){.end = &line->first};
}

void compose_line_push(struct compose_line *line, struct compose_request *request)
{
    request->next = NULL;
    request->waiting_since_ms = clock_boot_ms();
    *line->end = request;
    line->end = &request->next;
}

struct compose_request *compose_line_take(struct compose_line *line)
{
    struct compose_request *request = line->first;
    line->first = request->next;
    if (!line->first)
        line->end = &line->first;
    return request;
}

void compose_line_remove(struct compose_line *line, const struct compose_request *request)
{
    for (struct compose_request **link = &line->first; *link; link = &(*link)->next) {
        if (*link != request)
            continue;
        *link = request->next;
        if (!*link)
            line->end = link;
        return;
    }
}
