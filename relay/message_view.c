#include "relay/message_view.h"

#include <string.h>

#include "relay/base/clock.h"

static json_t *text_or_null(const char *text)
{
    return *text ? json_string(text) : json_null();
}

static json_t *time_or_null(struct queue_reader *reader, int64_t queue_ms)
{
    if (queue_ms == 0)
        return json_null();
    char text[CLOCK_RFC3339_SIZE];
    clock_rfc3339(queue_reader_wall_ms(reader, queue_ms), text);
    return json_string(text);
}

// All or nothing: a field left out for want of memory would read as a field that is not there.
static json_t *whole_or_null(json_t *view, int failed)
{
    if (!failed)
        return view;
    json_decref(view);
    return NULL;
}

json_t *message_view(struct queue_reader *reader, const struct queue_message *message)
{
    json_t *view = json_object();
    int failed = 0;
    failed |= json_object_set_new(view, "id", json_string(message->id));
    failed |= json_object_set_new(view, "state", json_string(message_state_name(message->state)));
    failed |= json_object_set_new(view, "reason", text_or_null(message->reason));
    failed |= json_object_set_new(view, "route", text_or_null(message->route));
    failed |= json_object_set_new(view, "key", text_or_null(message->key_name));
    failed |= json_object_set_new(view, "channel", text_or_null(message->channel));
    failed |= json_object_set_new(view, "lane",
                                  text_or_null(message->has_lane ? lane_name(message->lane) : ""));
    failed |= json_object_set_new(view, "template", text_or_null(message->template));
    failed |= json_object_set_new(view, "locale", text_or_null(message->locale));
    failed |= json_object_set_new(view, "recipient", text_or_null(message->recipient));
    failed |= json_object_set_new(view, "identity_id", text_or_null(message->identity_id));
    failed |= json_object_set_new(view, "smarthost", text_or_null(message->smarthost));
    failed |= json_object_set_new(view, "attempts", json_integer(message->attempts));
    failed |= json_object_set_new(view, "created_at", time_or_null(reader, message->created_ms));
    failed |= json_object_set_new(view, "updated_at", time_or_null(reader, message->updated_ms));
    failed |= json_object_set_new(view, "not_before", time_or_null(reader, message->not_before_ms));
    failed |= json_object_set_new(view, "deadline", time_or_null(reader, message->deadline_ms));
    failed |= json_object_set_new(view, "last_reply", text_or_null(message->last_reply));
    failed |= json_object_set_new(view, "trace_id", text_or_null(message->trace_id));
    failed |= json_object_set_new(view, "locale_source", text_or_null(message->locale_source));
    return whole_or_null(view, failed);
}

// By the reasons of docs/protocol.md; what is not among them is the normaliser's or a composer's.
static const struct {
    const char *reason, *advice;
} ADVICE[] = {
    {"unparseable", "cancel it, and mend what sends it (its payload is no JSON, and stays so)"},
    {"no_recipient",
     "look whether its identity has an e-mail address in Kratos, and let the normaliser find it "
     "where this payload has it, if anywhere"},
    {"composer_died",
     "look into the log for `composer_died` (too little memory, or a fault to be reported)"},
    {"bad_recipient",
     "mend the address of its identity in Kratos, for the next mail; this one has its address in "
     "it, so cancel it, or let the normaliser give it a good one"},
    {"unsupported_channel",
     "leave the channel sms of Kratos' configuration to your gateway, or let the normaliser give "
     "it an e-mail address (nothing else is sent)"},
    {"unknown_route", "configure its route again"},
    {"no_content",
     "give its type texts, and the mail its code or link; or let Kratos send its own texts"},
    {"link_not_allowed", "name the host of its link in its brand, if it is yours"},
    {"too_large", "let the normaliser, or Kratos, make a smaller mail of it"},
    {"no_such_part", "let the normaliser make as many mails of its payload as before"},
    {"damaged", "bring back an undamaged folder (its body does not fit its row)"},
    {"unknown_key", "add the key that it was sealed with to queue.key, and restart the relay"},
};

const char *message_view_advice(const struct queue_message *message)
{
    if (message->state != MESSAGE_PARKED && message->state != MESSAGE_HELD)
        return NULL;
    if (!message->has_body)
        return "its body was dropped when its time was over: it cannot be sent any more";
    if (message->state == MESSAGE_HELD)
        return "ask whoever holds it";
    for (size_t i = 0; i < sizeof(ADVICE) / sizeof(ADVICE[0]); i++)
        if (strcmp(message->reason, ADVICE[i].reason) == 0)
            return ADVICE[i].advice;
    return "mend the normaliser";
}

bool message_view_is_lost(const struct queue_message *message)
{
    return message->state == MESSAGE_PARKED && strcmp(message->reason, "unparseable") == 0;
}

json_t *message_view_attempt(struct queue_reader *reader, const struct queue_attempt_row *attempt)
{
    json_t *view = json_object();
    int failed = 0;
    failed |= json_object_set_new(view, "started_at", time_or_null(reader, attempt->started_ms));
    failed |= json_object_set_new(view, "ended_at", time_or_null(reader, attempt->ended_ms));
    failed |= json_object_set_new(view, "smarthost", text_or_null(attempt->smarthost));
    failed |= json_object_set_new(view, "address", text_or_null(attempt->address));
    failed |= json_object_set_new(view, "tls", text_or_null(attempt->tls));
    failed |= json_object_set_new(view, "outcome", text_or_null(attempt->outcome));
    failed |= json_object_set_new(
        view, "reply_code", attempt->reply_code ? json_integer(attempt->reply_code) : json_null());
    failed |= json_object_set_new(view, "enhanced_code", text_or_null(attempt->enhanced_code));
    failed |= json_object_set_new(view, "reply_text", text_or_null(attempt->reply_text));
    return whole_or_null(view, failed);
}

json_t *message_view_stats(struct queue_reader *reader, const struct queue_stats *stats)
{
    json_t *states = json_object(), *lanes = json_object();
    for (int i = 0; i < MESSAGE_STATE_COUNT; i++)
        json_object_set_new(states, message_state_name((enum message_state)i),
                            json_integer(stats->count[i]));
    for (int i = 0; i < LANE_COUNT; i++)
        json_object_set_new(lanes, lane_name((enum lane)i),
                            json_pack("{s:I, s:o}", "waiting", (json_int_t)stats->waiting[i],
                                      "oldest_waiting_at",
                                      time_or_null(reader, stats->oldest_waiting_ms[i])));
    return json_pack("{s:o, s:o}", "states", states, "lanes", lanes);
}
