#include "relay/admin/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/buffer.h"
#include "relay/base/number.h"
#include "relay/base/utf8.h"

enum { LINK_MAX = 16 * 1024 };

// What each request knows beside the filter.
static bool takes_filter(enum admin_what what)
{
    return what == ADMIN_LIST || what == ADMIN_ACT_ON_ALL;
}

static bool takes_note(enum admin_what what)
{
    switch (what) {
    case ADMIN_ACT:
    case ADMIN_ACT_ON_ALL:
    case ADMIN_PAUSE:
    case ADMIN_RESUME:
    case ADMIN_REKEY:
    case ADMIN_BACKUP:
    case ADMIN_CHECK:
        return true;
    case ADMIN_LIST:
    case ADMIN_SHOW:
    case ADMIN_STATS:
    case ADMIN_SMARTHOSTS:
    case ADMIN_METRICS:
        break;
    }
    return false;
}

static bool set_flag(bool *flag, const char *value, struct error *err)
{
    *flag = strcmp(value, "true") == 0;
    return *flag || strcmp(value, "false") == 0 ||
           error_set(err, ERR_INPUT, "is neither true nor false");
}

static bool set_note(struct admin_query *query, const char *note, struct error *err)
{
    size_t characters = 0;
    for (const char *at = note; *at; at++)
        characters += !utf8_continues(*at);
    if (characters > ADMIN_NOTE_MAX || strlen(note) >= sizeof(query->note))
        return error_set(err, ERR_INPUT, "is longer than %d characters", ADMIN_NOTE_MAX);
    memcpy(query->note, note, strlen(note) + 1);
    return true;
}

static bool set_page_size(struct admin_query *query, const char *value, struct error *err)
{
    int64_t size;
    if (!number_parse(value, strlen(value), ADMIN_PAGE_SIZE_MAX, &size) || size == 0)
        return error_set(err, ERR_INPUT, "is not from 1 to %d", ADMIN_PAGE_SIZE_MAX);
    query->page_size = (size_t)size;
    return true;
}

static bool set_page_token(struct admin_query *query, const char *value, struct error *err)
{
    if (strspn(value, "0123456789abcdef-") != QUEUE_ID_SIZE - 1 || value[QUEUE_ID_SIZE - 1])
        return error_set(err, ERR_INPUT, "is none that a Link header has given");
    memcpy(query->page_token, value, QUEUE_ID_SIZE);
    return true;
}

// *ret_known: false where there is no such parameter here.
static bool set(struct admin_query *query, enum admin_what what,
                const struct http_parameter *parameter, int64_t now_ms, bool *ret_known,
                struct error *err)
{
    const char *name = parameter->name, *value = parameter->value;
    *ret_known = true;
    if (takes_filter(what) && message_filter_knows(name))
        return message_filter_set(&query->filter, name, value, now_ms, err);
    if (takes_note(what) && strcmp(name, "note") == 0)
        return set_note(query, value, err);
    if (what == ADMIN_ACT_ON_ALL && strcmp(name, "all") == 0)
        return set_flag(&query->all, value, err);
    if (what == ADMIN_ACT_ON_ALL && strcmp(name, "dry_run") == 0)
        return set_flag(&query->dry_run, value, err);
    if (what == ADMIN_LIST && strcmp(name, "page_size") == 0)
        return set_page_size(query, value, err);
    if (what == ADMIN_LIST && strcmp(name, "page_token") == 0)
        return set_page_token(query, value, err);
    *ret_known = false;
    return error_set(err, ERR_INPUT, "is not known here");
}

static bool is_first(const struct http_call *call, size_t place)
{
    for (size_t i = 0; i < place; i++)
        if (strcmp(call->parameters[i].name, call->parameters[place].name) == 0)
            return false;
    return true;
}

bool admin_query_read(struct admin_query *query, enum admin_what what, const struct http_call *call,
                      int64_t now_ms, const char **ret_name, struct error *err)
{
    *query = (struct admin_query){.page_size = ADMIN_PAGE_SIZE};
    for (size_t i = 0; i < call->parameter_count; i++) {
        const struct http_parameter *parameter = &call->parameters[i];
        bool is_known;
        bool ok = set(query, what, parameter, now_ms, &is_known, err);
        // Whoever says a thing twice may have meant either: an act is not a thing to guess at.
        if (ok && !is_first(call, i))
            ok = error_set(err, ERR_INPUT, "stands there twice");
        if (ok)
            continue;
        *ret_name = is_known ? "bad_parameter" : "unknown_parameter";
        return error_prefix(err, "%.40s", parameter->name);
    }
    return true;
}

// ---- the next page ------------------------------------------------------------------------------

// RFC 3986 §2.3: all others are encoded.
static void put_encoded(struct buffer *text, const char *value)
{
    for (; *value; value++) {
        unsigned char c = (unsigned char)*value;
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || strchr("-._~", c);
        if (is_plain)
            buffer_putc(text, (char)c);
        else
            buffer_printf(text, "%%%02X", c);
    }
}

char *admin_query_link(const struct http_parameter *parameters, size_t count, size_t limit_left,
                       const char *next_id)
{
    AUTO_BUFFER struct buffer text;
    buffer_init(&text, LINK_MAX);
    buffer_puts(&text, "</admin/messages?");
    for (size_t i = 0; i < count; i++) {
        const char *name = parameters[i].name;
        if (strcmp(name, "page_token") == 0 || strcmp(name, "limit") == 0)
            continue;
        buffer_printf(&text, "%s=", name); // a known one
        put_encoded(&text, parameters[i].value);
        buffer_putc(&text, '&');
    }
    if (limit_left > 0)
        buffer_printf(&text, "limit=%zu&", limit_left);
    buffer_printf(&text, "page_token=%s>; rel=\"next\"", next_id);
    return buffer_take(&text);
}
