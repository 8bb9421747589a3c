#include "relay/deliverer/outcome.h"

#include <stdio.h>
#include <string.h>

static const char alarm_tls[] = "tls", alarm_auth[] = "auth";

// 421 at RCPT and after the dot is an ordinary 4xx: the smarthost says that it did not take the
// message. Before that it is the session's fault, as all is.
static enum outcome_kind refused(enum stage stage, int code, bool size_declared)
{
    bool permanent = code >= 500;
    switch (stage) {
    case STAGE_CONNECT:
    case STAGE_GREETING:
    case STAGE_EHLO:
    case STAGE_STARTTLS:
    case STAGE_AUTH:
        return OUTCOME_SESSION;
    case STAGE_MAIL:
        // The sender is the relay's own, so a refusal is a matter of configuration; but for
        // the two codes that mean the declared size.
        if (size_declared && (code == 452 || code == 552))
            return permanent ? OUTCOME_PERMANENT : OUTCOME_TEMPORARY;
        return OUTCOME_SESSION;
    case STAGE_RCPT:
    case STAGE_DATA:
    case STAGE_BODY:
    case STAGE_DOT:
        return permanent ? OUTCOME_PERMANENT : OUTCOME_TEMPORARY;
    }
    return OUTCOME_SESSION;
}

static const char *alarm_for(enum stage stage, bool answered, int code)
{
    if (stage == STAGE_STARTTLS)
        return alarm_tls;
    if (stage == STAGE_AUTH && answered && code >= 400)
        return alarm_auth;
    if (stage == STAGE_MAIL && answered && (code == 530 || code == 535 || code == 538))
        return alarm_auth;
    return NULL;
}

static void say(struct outcome *outcome, const char *text)
{
    if (outcome->reply.text[0] == '\0')
        snprintf(outcome->reply.text, sizeof(outcome->reply.text), "%s", text);
}

// No answer, or one that SMTP does not know here.
static void judge_failure(const struct trace *trace, struct outcome *outcome)
{
    outcome->kind = trace->stage <= STAGE_MAIL ? OUTCOME_SESSION : OUTCOME_TEMPORARY;
    outcome->alarm = alarm_for(trace->stage, trace->answered, trace->reply.code);
    if (trace->stop == STOP_LIMIT)
        say(outcome, "timed out");
    else
        say(outcome, trace->answered ? "an answer out of place" : "the connection ended");
}

// By its first digit (RFC 5321 §4.2.1); but what speaks of help, of connections or of AUTH (x1z to
// x3z: "220 ready", "221 bye") is no word about a mail, and one more copy is better than none.
bool outcome_is_verdict(int code)
{
    int second = code / 10 % 10;
    return code >= 400 || (code >= 200 && code <= 299 && (second < 1 || second > 3));
}

void outcome_judge(const struct trace *trace, struct outcome *outcome)
{
    int code = trace->answered ? trace->reply.code : 0;
    outcome->stage = trace->stage;
    outcome->reply = trace->reply;
    outcome->reply.code = code;
    outcome->alarm = NULL;
    if (trace->stage == STAGE_DOT && code <= 299 && outcome_is_verdict(code)) {
        outcome->kind = OUTCOME_SENT;
    } else if (code >= 400) {
        // Before the question of the dot: this is the answer to it, too.
        outcome->kind = refused(trace->stage, code, trace->size_declared);
        outcome->alarm = alarm_for(trace->stage, true, code);
    } else if (trace->dot_begun) {
        outcome->kind = OUTCOME_UNKNOWN;
        outcome->stage = STAGE_DOT;
        say(outcome, trace->stop == STOP_LIMIT ? "timed out" : "the connection ended");
    } else if (trace->stop == STOP_CUT) {
        outcome->kind = OUTCOME_CUT;
        say(outcome, "cut");
    } else if (trace->stop == STOP_EXPIRED) {
        outcome->kind = OUTCOME_EXPIRED;
        say(outcome, "expired before the final dot");
    } else {
        judge_failure(trace, outcome);
    }
}

void outcome_set(struct outcome *outcome, enum outcome_kind kind, enum stage stage,
                 const char *text)
{
    outcome->kind = kind;
    outcome->stage = stage;
    outcome->alarm = NULL;
    outcome->is_own_text = true;
    memset(&outcome->reply, 0, sizeof(outcome->reply));
    say(outcome, text);
}

const char *outcome_kind_name(enum outcome_kind kind)
{
    static const char *const names[] = {"sent",    "temporary", "permanent", "session",
                                        "unknown", "expired",   "cut",       "unable"};
    return names[kind];
}

const char *outcome_stage_name(enum stage stage)
{
    static const char *const names[] = {"connect", "greeting", "ehlo", "starttls", "auth",
                                        "mail",    "rcpt",     "data", "body",     "dot"};
    return names[stage];
}
