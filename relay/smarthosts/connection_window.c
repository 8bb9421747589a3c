#include "relay/smarthosts/connection_window.h"

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

size_t connection_window_most(const struct connection_window *window)
{
    return window->cap > 0 ? window->cap : window->limit;
}

void connection_window_init(struct connection_window *window, size_t limit, int64_t idle_ms)
{
    *window =
        (struct connection_window){.limit = limit, .idle_ms = idle_ms, .cap_until_ms = INT64_MAX};
    connection_window_restart(window);
}

void connection_window_restart(struct connection_window *window)
{
    window->cap = window->learned;
    if (window->cap == 0)
        window->cap_until_ms = INT64_MAX;
    window->size = smaller(CONNECTION_WINDOW_FIRST, connection_window_most(window));
    window->peak = 0;
    window->wait_until_ms = window->peak_until_ms = window->doubt_until_ms = INT64_MAX;
}

size_t connection_window_free(const struct connection_window *window, size_t under_way)
{
    return under_way < window->size ? window->size - under_way : 0;
}

void connection_window_wanted(struct connection_window *window, int64_t now_ms)
{
    if (window->wait_until_ms == INT64_MAX && window->size < connection_window_most(window))
        window->wait_until_ms = now_ms + CONNECTION_WINDOW_WAIT_MS;
}

void connection_window_started(struct connection_window *window, size_t under_way, int64_t now_ms)
{
    if (connection_window_free(window, under_way) > 0)
        window->wait_until_ms = INT64_MAX;
    window->peak = larger(window->peak, under_way);
    if (window->peak_until_ms == INT64_MAX)
        window->peak_until_ms = now_ms + window->idle_ms;
}

// Whether something waits still will be said again.
static void open_by_one(struct connection_window *window)
{
    if (window->size < connection_window_most(window))
        window->size++;
    window->wait_until_ms = INT64_MAX;
}

bool connection_window_ended(struct connection_window *window, int64_t took_ms, int64_t now_ms)
{
    if (window->wait_until_ms != INT64_MAX) {
        if (window->size < CONNECTION_WINDOW_QUICK || took_ms >= CONNECTION_WINDOW_SLOW_MS)
            open_by_one(window);
        window->wait_until_ms = INT64_MAX;
    }
    if (window->doubt_until_ms == INT64_MAX)
        return false;
    window->doubt_until_ms = INT64_MAX;
    window->learned = window->cap;
    int64_t again_ms =
        window->cap == window->told ? CONNECTION_WINDOW_TELL_MS : CONNECTION_WINDOW_CAP_MS;
    if (window->told > 0 && now_ms < window->told_ms + again_ms)
        return false;
    window->told = window->cap;
    window->told_ms = now_ms;
    return true;
}

void connection_window_refused(struct connection_window *window, size_t at_work, int64_t doubt_ms,
                               int64_t now_ms)
{
    // Of several that are refused at once each finds fewer at work, and the last one the right
    // number.
    window->cap = smaller(connection_window_most(window), at_work);
    window->cap_until_ms = now_ms + CONNECTION_WINDOW_CAP_MS;
    window->size = window->cap;
    if (window->doubt_until_ms == INT64_MAX)
        window->doubt_until_ms = now_ms + doubt_ms;
}

bool connection_window_tick(struct connection_window *window, int64_t now_ms)
{
    if (now_ms >= window->doubt_until_ms)
        return false;
    if (now_ms >= window->cap_until_ms) {
        window->cap = window->learned = 0;
        window->cap_until_ms = INT64_MAX;
    }
    if (now_ms >= window->wait_until_ms)
        open_by_one(window);
    if (now_ms >= window->peak_until_ms) {
        size_t least = smaller(CONNECTION_WINDOW_FIRST, window->limit);
        window->size = smaller(window->size, larger(window->peak, least));
        window->peak = 0;
        window->peak_until_ms = INT64_MAX; // until one is started
    }
    return true;
}

int64_t connection_window_next_ms(const struct connection_window *window)
{
    const int64_t moments[] = {window->wait_until_ms, window->peak_until_ms, window->cap_until_ms,
                               window->doubt_until_ms};
    int64_t next_ms = INT64_MAX;
    for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++)
        if (moments[i] < next_ms)
            next_ms = moments[i];
    return next_ms;
}
