// messages.c - what there is to see: lists and one message, in the thread that looks, and numbers.
#include <string.h>

#include "relay/admin/request.h"
#include "relay/base/buffer.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/message_view.h"

// One request may look at so much, lest it hold up all others; what it has found until then is
// answered, with the way on.
enum { LOOK_ROWS = 20000, LOOK_MS = 1000 };

enum { METRICS_PAGE_MAX = 4 * 1024 * 1024 };

static void log_fault(const struct error *err)
{
    LOG(LOG_ERROR, "queue_error", LOG_STRING("error", err->message));
}

static void answer_fault(struct admin_request *request, const struct error *err)
{
    log_fault(err);
    admin_answer_error(request->exchange, request, err->code == ERR_TEMPORARY ? 503 : 500,
                       "unreadable", "the queue cannot be read now: see the relay's log");
}

// ---- lists --------------------------------------------------------------------------------------

struct page {
    struct queue_reader *reader;
    json_t *views;
    bool failed;
};

static bool add_view(void *context, const struct queue_message *message)
{
    struct page *page = context;
    page->failed = json_array_append_new(page->views, message_view(page->reader, message)) < 0;
    return !page->failed;
}

// Until the page is full, there is no more, or enough was looked at. Rows that nobody can read are
// told in the log, and hide no others.
static bool fill_page(struct page *page, struct queue_filter *filter,
                      char ret_next_id[QUEUE_ID_SIZE], struct error *err)
{
    size_t size = filter->limit;
    int64_t until_ms = clock_boot_ms() + LOOK_MS;
    do {
        if (!queue_list_page(page->reader, filter, LOOK_ROWS, add_view, page, ret_next_id, err)) {
            if (err->code != ERR_CORRUPT)
                return false;
            log_fault(err);
        }
        filter->before_id = ret_next_id;
        filter->limit = size - json_array_size(page->views);
    } while (*ret_next_id && filter->limit > 0 && !page->failed && clock_boot_ms() < until_ms);
    return true;
}

static void answer_page(struct admin_request *request, struct page *page, const char *next_id)
{
    const struct admin_query *query = &request->query;
    size_t count = json_array_size(page->views), limit = query->filter.limit;
    char *link = NULL;
    if (page->failed) {
        json_decref(page->views);
        page->views = NULL;
    }
    if (*next_id && (limit == 0 || limit > count))
        link = admin_query_link(request->parameters, request->parameter_count,
                                limit > 0 ? limit - count : 0, next_id);
    admin_answer_json(request->exchange, request, page->views, link);
}

void admin_list(struct admin_request *request)
{
    struct queue_reader *reader = request->admin->looking.reader;
    const struct admin_query *query = &request->query;
    int64_t now_ms = queue_reader_now_ms(reader);
    struct queue_filter filter =
        message_filter_for_queue(&query->filter, queue_reader_wall_ms(reader, now_ms) - now_ms);
    if (filter.limit == 0 || filter.limit > query->page_size)
        filter.limit = query->page_size;
    char next_id[QUEUE_ID_SIZE] = "";
    if (*query->page_token)
        filter.before_id = query->page_token;
    struct page page = {.reader = reader, .views = json_array()};
    struct error err = {0};
    if (fill_page(&page, &filter, next_id, &err)) {
        answer_page(request, &page, next_id);
        return;
    }
    json_decref(page.views);
    if (err.code == ERR_INPUT)
        admin_answer_error(request->exchange, request, 400, "bad_parameter",
                           "page_token: is none that a Link header has given");
    else
        answer_fault(request, &err);
}

// ---- one message --------------------------------------------------------------------------------

static bool add_attempt(void *context, const struct queue_attempt_row *attempt)
{
    struct page *page = context;
    page->failed =
        json_array_append_new(page->views, message_view_attempt(page->reader, attempt)) < 0;
    return !page->failed;
}

// NULL: no memory.
static json_t *describe(struct page *history, const struct queue_message *message)
{
    json_t *view = history->failed ? NULL : message_view(history->reader, message);
    const char *advice = message_view_advice(message);
    if (view && json_object_set(view, "history", history->views) == 0 &&
        json_object_set_new(view, "advice", advice ? json_string(advice) : json_null()) == 0)
        return view;
    json_decref(view);
    return NULL;
}

void admin_show(struct admin_request *request)
{
    struct queue_reader *reader = request->admin->looking.reader;
    struct queue_message message;
    struct error err = {0};
    bool found = false;
    json_auto_t *attempts = json_array();
    struct page history = {.reader = reader, .views = attempts};
    if (!queue_load(reader, request->name, &message, &found, NULL, NULL, &err) ||
        (found && !queue_attempts(reader, request->name, add_attempt, &history, &err)))
        answer_fault(request, &err);
    else if (!found)
        admin_answer_error(request->exchange, request, 404, "no_message",
                           "there is no such message");
    else
        admin_answer_json(request->exchange, request, describe(&history, &message), NULL);
}

// ---- numbers, in the thread that counts
// ----------------------------------------------------------

void admin_stats(struct admin_request *request)
{
    struct queue_reader *reader = request->admin->counting.reader;
    struct queue_stats stats;
    struct error err = {0};
    if (queue_stats(reader, &stats, &err))
        admin_answer_json(request->exchange, request, message_view_stats(reader, &stats), NULL);
    else
        answer_fault(request, &err);
}

void admin_metrics(struct admin_request *request)
{
    AUTO_BUFFER struct buffer page;
    buffer_init(&page, METRICS_PAGE_MAX);
    metrics_write(&request->admin->metrics, &page);
    const struct http_answer answer = {.status = 200,
                                       .content_type = METRICS_CONTENT_TYPE,
                                       .body = page.failed ? NULL : buffer_take(&page)};
    admin_answer_with(request->exchange, request, &answer);
}
