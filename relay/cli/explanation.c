#include "relay/cli/explanation.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/buffer.h"
#include "relay/base/cleanup.h"
#include "relay/base/clock.h"
#include "relay/cli/relative_time.h"
#include "relay/member_text.h"
#include "relay/message_view.h"

enum { REPLY_MAX = 1024, TIME_SIZE = CLOCK_RFC3339_SIZE + RELATIVE_TIME_SIZE + 4 };

struct story {
    struct queue_reader *reader;
    const struct queue_message *message;
    const json_t *smarthosts; // NULL: no relay runs
    int64_t now_ms;           // queue time
    json_t *sentences;
};

static void say(const struct story *story, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void say(const struct story *story, const char *format, ...)
{
    AUTO_FREE char *text = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        abort();
    va_end(args);
    json_array_append_new(story->sentences, json_string(text));
}

// "3m ago (2026-11-21T01:22:03.004Z)"; of a queue time.
static const char *when(const struct story *story, int64_t queue_ms, char text[TIME_SIZE])
{
    char relative[RELATIVE_TIME_SIZE], moment[CLOCK_RFC3339_SIZE];
    clock_rfc3339(queue_reader_wall_ms(story->reader, queue_ms), moment);
    snprintf(text, TIME_SIZE, "%s (%s)", relative_time(queue_ms - story->now_ms, relative), moment);
    return text;
}

// The words that go with a known word; otherwise where there is none.
struct words {
    const char *word, *says;
};
static const char *words_for(const struct words *words, size_t count, const char *word,
                             const char *otherwise)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(words[i].word, word) == 0)
            return words[i].says;
    return otherwise;
}
#define WORDS_FOR(words, word, otherwise)                                                          \
    words_for(words, sizeof(words) / sizeof((words)[0]), word, otherwise)

// ---- what came, and in which language -----------------------------------------------------------

static void tell_origin(const struct story *story)
{
    const struct queue_message *message = story->message;
    char time[TIME_SIZE];
    const char *type = *message->template ? message->template : "not composed yet,";
    if (strcmp(type, "unknown") == 0)
        type = "a mail of no known type";
    say(story, "It came %s by the route %s%s%s: %s for %s.", when(story, message->created_ms, time),
        *message->route ? message->route : "?", *message->key_name ? ", with the key " : "",
        message->key_name, type,
        *message->recipient ? message->recipient : "a recipient that is not known");
    if (*message->trace_id)
        say(story, "The request was part of the trace %s.", message->trace_id);
}

static void tell_language(const struct story *story)
{
    static const struct words sources[] = {
        {"payload", "its payload asks for it (transient_payload, traits or metadata)"},
        {"accept_language", "the person's browser asked for it (Accept-Language)"},
        {"request_url", "the address of the page that it was asked from names it"},
        {"brand", "it is the language of its brand, and nothing nearer to the person names one"},
        {"default", "nothing names a language that there are texts in, so it is RELAY_LOCALE"},
    };
    const struct queue_message *message = story->message;
    if (*message->locale)
        say(story, "Its language is %s: %s.", message->locale,
            WORDS_FOR(sources, message->locale_source,
                      "why is not known, since it was composed by an older version"));
}

// ---- attempts -----------------------------------------------------------------------------------

static void tell_attempt(const struct story *story, size_t number, const json_t *attempt)
{
    static const struct words outcomes[] = {
        {"sent", "it was taken"},
        {"temporary", "it was refused for now"},
        {"permanent", "it was refused for good"},
        {"session", "the smarthost could not be used, which does not count against the message"},
        {"unknown", "the connection ended when it had been handed over, so it may have arrived"},
        {"expired", "its time was over before it could be handed over"},
        {"cut", "it was broken off on our side before it was handed over, which does not count"},
        {"unable", "that smarthost lacks what it needs (SMTPUTF8, or room for its size)"},
        {"suspect", "it was refused for good, but perhaps the smarthost is wrong, not the message"},
    };
    const char *address = member_text(attempt, "address"), *tls = member_text(attempt, "tls");
    const char *text = member_text(attempt, "reply_text");
    const char *enhanced = member_text(attempt, "enhanced_code");
    json_int_t code = json_integer_value(json_object_get(attempt, "reply_code"));
    AUTO_BUFFER struct buffer reply;
    buffer_init(&reply, REPLY_MAX);
    if (code > 0)
        buffer_printf(&reply, " %lld", (long long)code);
    if (enhanced)
        buffer_printf(&reply, " %s", enhanced);
    if (text)
        buffer_printf(&reply, " %s", text);
    say(story, "Attempt %zu, %s, by %s%s%s%s%s: %s%s%s.", number,
        member_text_or(attempt, "started_at", "?"), member_text_or(attempt, "smarthost", "?"),
        address ? " at " : "", address ? address : "", tls ? " with " : "", tls ? tls : "",
        WORDS_FOR(outcomes, member_text_or(attempt, "outcome", ""), "it ended"),
        reply.size > 0 ? ";" : "", reply.size > 0 ? reply.data : "");
}

static void tell_attempts(const struct story *story, const json_t *history)
{
    size_t index;
    json_t *attempt;
    json_array_foreach(history, index, attempt) tell_attempt(story, index + 1, attempt);
    if (json_array_size(history) == 0 && story->message->state != MESSAGE_PARKED)
        say(story, "It was not tried yet.");
}

// ---- where it is now, and what comes next -------------------------------------------------------

// Those that take nothing now.
static void tell_smarthosts(const struct story *story)
{
    static const struct words states[] = {
        {"open", "it is asked again by itself"},
        {"probing", "it is being asked now whether it does again"},
        {"paused", "an operator has to resume it"},
    };
    size_t index, closed = 0;
    bool has_error = false;
    json_t *one;
    if (!story->smarthosts) {
        say(story, "No relay runs on this queue, or none that this user may ask: nothing happens "
                   "until one does.");
        return;
    }
    json_array_foreach(story->smarthosts, index, one)
    {
        const char *state = member_text_or(one, "state", "?");
        if (strcmp(state, "closed") == 0) {
            closed++;
            continue;
        }
        const char *error = member_text(one, "error");
        has_error = has_error || error;
        say(story, "The smarthost %s takes no mail since %s (%s%s%s): %s.",
            member_text_or(one, "name", "?"), member_text_or(one, "since", "?"),
            member_text_or(one, "reason", "?"), error ? ": " : "", error ? error : "",
            WORDS_FOR(states, state, "it is asked again by itself"));
    }
    if (closed == 0)
        say(story, "No smarthost takes mail now: it waits for the first that does.");
    if (has_error)
        say(story, "`courier-relay doctor` says what to do about each smarthost.");
}

static void tell_deadline(const struct story *story)
{
    const struct queue_message *message = story->message;
    char time[TIME_SIZE];
    if (message->deadline_ms > 0)
        say(story, "Its time is over %s: then it expires%s.",
            when(story, message->deadline_ms, time),
            message->coded ? ", since its code or link is not good for longer" : "");
}

static void tell_waiting(const struct story *story)
{
    static const struct words reasons[] = {
        {"rate_limited", "its recipient, or all together, had as many as they may in this time "
                         "(RELAY_RATE_RECIPIENT, RELAY_RATE_TOTAL)"},
        {"suspect",
         "it was refused for good, but perhaps the smarthost is wrong, so it is tried again"},
        {"released", "an operator released it"},
        {"retried", "an operator had it tried once more"},
    };
    const struct queue_message *message = story->message;
    char time[TIME_SIZE];
    const char *why = WORDS_FOR(reasons, message->reason, message->reason);
    if (message->state == MESSAGE_RECEIVED)
        say(story, "It is stored, and about to be composed.");
    else if (message->state == MESSAGE_SENDING)
        say(story, "It is being handed over.");
    else
        say(story, "It waits%s%s.", *why ? ": " : "", why);
    if (message->state == MESSAGE_QUEUED && message->not_before_ms > story->now_ms)
        say(story, "It is tried next %s.", when(story, message->not_before_ms, time));
    else if (message->state == MESSAGE_QUEUED)
        say(story, "It is due: it goes as soon as a smarthost takes it.");
    tell_smarthosts(story);
    tell_deadline(story);
}

// How it ended, and whether there is a way back.
static void tell_end(const struct story *story)
{
    const struct queue_message *message = story->message;
    char time[TIME_SIZE];
    bool has_time = message->has_body && message->deadline_ms > story->now_ms;
    if (message->state == MESSAGE_FAILED)
        say(story, "It was given up %s%s%s.", when(story, message->updated_ms, time),
            *message->reason ? ": " : "", message->reason);
    else
        say(story,
            "It was handed over %d time%s and no answer came, so it may have arrived; by itself it "
            "is not sent again.",
            message->unknown_outcomes, message->unknown_outcomes == 1 ? "" : "s");
    if (has_time)
        say(story, "`courier-relay queue retry %s` tries once more; its time is over %s.",
            message->id, when(story, message->deadline_ms, time));
    else
        say(story, "It cannot be tried again: %s.",
            message->has_body ? "its time is over" : "its body was dropped");
}

static void tell_aside(const struct story *story)
{
    const struct queue_message *message = story->message;
    const char *advice = message_view_advice(message);
    char time[TIME_SIZE];
    if (message->state == MESSAGE_HELD)
        say(story, "An operator put it aside %s.", when(story, message->updated_ms, time));
    else
        say(story, "It was parked %s, since it cannot be sent as it is: %s.",
            when(story, message->updated_ms, time), message->reason);
    if (message->state == MESSAGE_PARKED && *message->identity_id)
        say(story, "Its identity in Kratos is %s.", message->identity_id);
    if (!message->has_body)
        say(story, "Nothing can be done: %s.", advice ? advice : "its body was dropped");
    else if (message->deadline_ms > 0 && message->deadline_ms <= story->now_ms)
        say(story,
            "It cannot be released any more: its time was over %s. `courier-relay queue "
            "cancel %s` puts an end to it.",
            when(story, message->deadline_ms, time), message->id);
    else if (message->state == MESSAGE_HELD)
        say(story, "`courier-relay queue release %s` lets it go.", message->id);
    else if (message_view_is_lost(message))
        say(story, "It cannot be mended: %s (`courier-relay queue cancel %s`).", advice,
            message->id);
    else
        say(story, "What to do: %s, then `courier-relay queue release %s`.",
            advice ? advice : "mend what its reason names", message->id);
    if (message->has_body && message->deadline_ms > story->now_ms)
        say(story, "Its time is over %s: then it can be released no more.",
            when(story, message->deadline_ms, time));
}

static void tell_state(const struct story *story)
{
    const struct queue_message *message = story->message;
    bool is_duplicate = strcmp(message->reason, "duplicate") == 0;
    char time[TIME_SIZE];
    switch (message->state) {
    case MESSAGE_RECEIVED:
    case MESSAGE_QUEUED:
    case MESSAGE_SENDING:
        tell_waiting(story);
        break;
    case MESSAGE_SENT:
        say(story, "It was sent %s: what became of it after that is in the smarthost's log.",
            when(story, message->updated_ms, time));
        break;
    case MESSAGE_FAILED:
    case MESSAGE_UNKNOWN:
        tell_end(story);
        break;
    case MESSAGE_EXPIRED:
        say(story, "It expired %s: no smarthost had taken it while it was of use.",
            when(story, message->deadline_ms > 0 ? message->deadline_ms : message->updated_ms,
                 time));
        break;
    case MESSAGE_SUPERSEDED:
        say(story, "It was not sent: %s, %s.",
            is_duplicate ? "it is the same as another one"
                         : "a newer one of its kind took its place",
            when(story, message->updated_ms, time));
        break;
    case MESSAGE_CANCELLED:
        say(story, "It was not sent: %s, %s.",
            strcmp(message->reason, "by_operator") == 0 ? "an operator cancelled it"
                                                        : "its normaliser made no mail of it",
            when(story, message->updated_ms, time));
        break;
    case MESSAGE_HELD:
    case MESSAGE_PARKED:
        tell_aside(story);
        break;
    }
}

json_t *explanation(struct queue_reader *reader, const struct queue_message *message,
                    const json_t *history, const json_t *smarthosts)
{
    const struct story story = {.reader = reader,
                                .message = message,
                                .smarthosts = smarthosts,
                                .now_ms = queue_reader_now_ms(reader),
                                .sentences = json_array()};
    tell_origin(&story);
    tell_language(&story);
    tell_attempts(&story, history);
    tell_state(&story);
    return story.sentences;
}
