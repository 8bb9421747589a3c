#include "relay/children/compose_request.h"

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

static enum compose_turn turn_of(const struct compose_request *request)
{
    if (request->task != COMPOSE_PAYLOAD)
        return COMPOSE_FIRST;
    return request->is_last_resort ? COMPOSE_LAST : COMPOSE_NEXT;
}

void compose_line_init(struct compose_line *line)
{
    for (size_t i = 0; i < COMPOSE_TURNS; i++)
        line->turns[i] = (struct compose_turn_line){.end = &line->turns[i].first};
}

void compose_line_push(struct compose_line *line, struct compose_request *request)
{
    struct compose_turn_line *turn = &line->turns[turn_of(request)];
    request->next = NULL;
    request->waiting_since_ms = clock_boot_ms();
    *turn->end = request;
    turn->end = &request->next;
}

struct compose_request *compose_line_take(struct compose_line *line)
{
    for (size_t i = 0; i < COMPOSE_TURNS; i++) {
        struct compose_turn_line *turn = &line->turns[i];
        struct compose_request *request = turn->first;
        if (!request)
            continue;
        turn->first = request->next;
        if (!turn->first)
            turn->end = &turn->first;
        return request;
    }
    return NULL;
}

int64_t compose_line_since_ms(const struct compose_line *line)
{
    int64_t since_ms = INT64_MAX;
    for (size_t i = 0; i < COMPOSE_TURNS; i++) {
        const struct compose_request *first = line->turns[i].first;
        if (first && first->waiting_since_ms < since_ms)
            since_ms = first->waiting_since_ms;
    }
    return since_ms;
}

static bool remove_from(struct compose_turn_line *turn, const struct compose_request *request)
{
    for (struct compose_request **link = &turn->first; *link; link = &(*link)->next) {
        if (*link != request)
            continue;
        *link = request->next;
        if (!*link)
            turn->end = link;
        return true;
    }
    return false;
}

void compose_line_remove(struct compose_line *line, const struct compose_request *request)
{
    for (size_t i = 0; i < COMPOSE_TURNS; i++)
        if (remove_from(&line->turns[i], request))
            return;
}
