#include "relay/smarthosts/smarthost_health.h"

#include <stdio.h>
#include <string.h>

enum { SILENCE_OPENS = 3 };

void smarthost_health_init(struct smarthost_health *health, int64_t now_ms)
{
    *health = (struct smarthost_health){0};
    circuit_init(&health->circuit, now_ms);
    suspicion_init(&health->suspicion);
}

void smarthost_health_fail(struct smarthost_health *health, int64_t now_ms)
{
    circuit_failed(&health->circuit, CIRCUIT_SESSION, now_ms, now_ms);
}

// How far SMTP came, and what for.
enum word { WORD_NONE, WORD_DIALOGUE, WORD_ENVELOPE_TAKEN, WORD_SENT };

static bool is_stage(const struct delivery_result *result, const char *stage)
{
    return result->stage && strcmp(result->stage, stage) == 0;
}

// Sender and recipient, of which DATA's answer is the last word: nothing else was shown yet.
static bool is_about_envelope(const struct delivery_result *result)
{
    return is_stage(result, "rcpt") || is_stage(result, "data");
}

static bool is_envelope_taken(const struct delivery_result *result)
{
    return is_stage(result, "body") || is_stage(result, "dot");
}

// The smarthost has answered. What opened the circuit decides what closes it: to greet and to take
// MAIL is no sign that it relays again.
static void heal(struct smarthost_health *health, const struct suspicion_message *message,
                 enum word word)
{
    struct circuit *circuit = &health->circuit;
    bool is_silent_at_dot = health->silence.opened && health->silence.at_dot;
    enum word needed = circuit->reason != CIRCUIT_SUSPICIOUS
                           ? (is_silent_at_dot ? WORD_ENVELOPE_TAKEN : WORD_DIALOGUE)
                       : health->opened_by_dot ? WORD_SENT
                                               : WORD_ENVELOPE_TAKEN;
    if (circuit->state == CIRCUIT_CLOSED)
        return;
    if (word < needed) {
        circuit_undecided(circuit, message->started_ms, message->now_ms);
        return;
    }
    circuit_succeeded(circuit, message->started_ms, message->now_ms);
    health->silence.opened = health->silence.opened && circuit->state != CIRCUIT_CLOSED;
}

static bool is_behind_mail(const struct delivery_result *result)
{
    return is_about_envelope(result) || is_envelope_taken(result);
}

// Did it take MAIL and then say nothing more? One such end is bad luck, or the message's doing.
static bool is_silent(const struct delivery_result *result)
{
    return (result->outcome == DELIVERY_TEMPORARY || result->outcome == DELIVERY_UNKNOWN) &&
           result->reply_code == 0 && !result->has_died && is_behind_mail(result);
}

// True: one too many, of several messages, so it is the smarthost, and its circuit is open for it.
static bool note_silence(struct smarthost_health *health, const struct suspicion_message *message,
                         const struct delivery_result *result)
{
    struct silence *silence = &health->silence;
    if (!is_silent(result)) {
        if (result->reply_code > 0 && is_behind_mail(result))
            *silence = (struct silence){.opened = silence->opened, .at_dot = silence->at_dot};
        return false;
    }
    if (silence->count++ == 0)
        snprintf(silence->id, sizeof(silence->id), "%s", message->id);
    silence->of_several = silence->of_several || strcmp(silence->id, message->id) != 0;
    bool is_probe = health->circuit.state != CIRCUIT_CLOSED;
    bool opens =
        silence->opened || (!is_probe && silence->count >= SILENCE_OPENS && silence->of_several);
    // Another is the next probe, and where there is another smarthost it goes by that one.
    if (is_probe || opens)
        (void)suspicion_session_ended(&health->suspicion, message);
    if (!opens)
        return false;
    silence->at_dot = is_envelope_taken(result) || (silence->opened && silence->at_dot);
    silence->opened = true;
    circuit_failed(&health->circuit, CIRCUIT_SESSION, message->started_ms, message->now_ms);
    return true;
}

static bool is_open_by_suspicion(const struct smarthost_health *health)
{
    return health->circuit.state != CIRCUIT_CLOSED && health->circuit.reason == CIRCUIT_SUSPICIOUS;
}

static void suspect(struct smarthost_health *health, const struct suspicion_message *message,
                    struct delivery_result *result, enum suspicion_verdict verdict, bool at_dot)
{
    struct circuit *circuit = &health->circuit;
    enum word word = at_dot ? WORD_ENVELOPE_TAKEN : WORD_DIALOGUE;
    if (verdict == SUSPICION_OWN) {
        heal(health, message, word);
        return;
    }
    result->outcome = DELIVERY_SUSPECT;
    bool is_open = is_open_by_suspicion(health);
    if (verdict == SUSPICION_OPEN || is_open) {
        health->opened_by_dot = at_dot || (is_open && health->opened_by_dot);
        bool is_new = suspicion_count(&health->suspicion, message->id) <= 1;
        circuit_refused(circuit, is_new, message->started_ms, message->now_ms);
    } else {
        heal(health, message, word);
    }
    // Where suspicion has the circuit open its pause and the turn decide, not the message's own
    // schedule. What else has it open is not renewed by this, so that another may go at once.
    if (is_open_by_suspicion(health))
        return;
    result->is_charged = verdict == SUSPICION_DENIED;
    if (!result->is_charged)
        result->set_back = suspicion_count(&health->suspicion, message->id);
}

static void judge_answer(struct smarthost_health *health, const struct suspicion_message *message,
                         struct delivery_result *result)
{
    struct suspicion *suspicion = &health->suspicion;
    bool is_permanent = result->outcome == DELIVERY_PERMANENT;
    bool is_open = is_open_by_suspicion(health);
    suspicion_alive(suspicion);
    if (is_about_envelope(result) && is_permanent &&
        suspicion_is_suspicious(result->reply_code, result->enhanced_code, result->reply_text)) {
        suspect(health, message, result, suspicion_refused(suspicion, message, is_open), false);
        return;
    }
    if (!is_envelope_taken(result)) {
        heal(health, message, WORD_DIALOGUE);
        return;
    }
    suspicion_envelope_taken(suspicion, message);
    if (is_stage(result, "dot") && is_permanent) {
        is_open = is_open && health->opened_by_dot;
        suspect(health, message, result, suspicion_refused_at_dot(suspicion, message, is_open),
                true);
        return;
    }
    bool is_sent = result->outcome == DELIVERY_SENT;
    if (is_sent || (is_stage(result, "dot") && result->reply_code > 0))
        suspicion_verdict(suspicion, message, is_sent);
    if (is_sent)
        taken_domains_add(&health->taken, message->recipient);
    heal(health, message, is_sent ? WORD_SENT : WORD_ENVELOPE_TAKEN);
}

static void judge_session(struct smarthost_health *health, const struct suspicion_message *message,
                          struct delivery_result *result)
{
    // Before MAIL nothing is known of the message, so it can be at fault only there; or with what
    // nobody has seen.
    bool may_be_own = is_stage(result, "mail") || result->has_hung;
    bool is_own = may_be_own && !suspicion_session_ended(&health->suspicion, message);
    if (is_own) {
        circuit_undecided(&health->circuit, message->started_ms, message->now_ms);
        result->set_back = suspicion_count(&health->suspicion, message->id);
    } else {
        circuit_failed(&health->circuit, CIRCUIT_SESSION, message->started_ms, message->now_ms);
    }
}

static void judge_death(struct smarthost_health *health, const struct suspicion_message *message,
                        struct delivery_result *result)
{
    switch (suspicion_died(&health->suspicion, message, result->was_alone)) {
    case SUSPICION_CHARGE:
        result->outcome = DELIVERY_TEMPORARY;
        break;
    case SUSPICION_SPARE:
        break;
    case SUSPICION_BROKEN:
        result->outcome = DELIVERY_SESSION;
        circuit_failed(&health->circuit, CIRCUIT_SESSION, message->started_ms, message->now_ms);
        return;
    }
    circuit_undecided(&health->circuit, message->started_ms, message->now_ms);
}

void smarthost_health_judge(struct smarthost_health *health, const struct delivery *delivery,
                            struct delivery_result *result, int64_t now_ms)
{
    const struct suspicion_message message = {
        .id = delivery->id,
        .recipient = delivery->recipient,
        .started_ms = delivery->started_boot_ms,
        .now_ms = now_ms,
        .is_known_domain = taken_domains_has(&health->taken, delivery->recipient),
    };
    health->probes += health->circuit.state != CIRCUIT_CLOSED;
    if (note_silence(health, &message, result)) {
        if (result->outcome == DELIVERY_TEMPORARY)
            suspicion_alive(&health->suspicion);
        return;
    }
    switch (result->outcome) {
    case DELIVERY_SENT:
    case DELIVERY_TEMPORARY:
    case DELIVERY_PERMANENT:
        if (result->has_died) // it hung, and nobody knows what in
            circuit_undecided(&health->circuit, message.started_ms, now_ms);
        else
            judge_answer(health, &message, result);
        break;
    case DELIVERY_UNABLE:
        judge_answer(health, &message, result);
        break;
    case DELIVERY_SESSION:
        judge_session(health, &message, result);
        break;
    case DELIVERY_UNKNOWN:
        // The connection broke after the dot. As a probe's end that is no health; otherwise it
        // is one message's bad luck, and the next one shows.
        if (health->circuit.state != CIRCUIT_CLOSED)
            circuit_failed(&health->circuit, health->circuit.reason, message.started_ms, now_ms);
        break;
    case DELIVERY_CUT:
        if (result->has_died)
            judge_death(health, &message, result);
        else
            circuit_undecided(&health->circuit, message.started_ms, now_ms);
        break;
    case DELIVERY_EXPIRED:
    case DELIVERY_SUSPECT:
        circuit_undecided(&health->circuit, message.started_ms, now_ms);
        break;
    }
}

// ---- who is to be the probe -------------------------------------------------------------------

enum { TURN_BITS = 60 }; // below a rank: more than milliseconds and troubles ever count to

static uint64_t turn_in(uint64_t rank, uint64_t place)
{
    return (rank << TURN_BITS) | place;
}

bool smarthost_health_probes(const struct smarthost_health *health)
{
    return health->circuit.state != CIRCUIT_CLOSED;
}

uint64_t smarthost_health_turn(const struct smarthost_health *health,
                               const struct probe_candidate *candidate)
{
    if (!smarthost_health_probes(health))
        return 0;
    uint64_t trouble = suspicion_turn(&health->suspicion, candidate->id);
    if (!is_open_by_suspicion(health))
        return trouble;
    enum { NEWEST, OLDEST, IN_TROUBLE, ORDERS } order = health->probes % ORDERS;
    uint64_t age = (uint64_t)candidate->received_ms;
    uint64_t place = order == NEWEST ? (UINT64_C(1) << TURN_BITS) - 1 - age : age;
    if (trouble > 0)
        return turn_in(order == IN_TROUBLE ? 0 : 3, trouble);
    if (order == IN_TROUBLE)
        return turn_in(1, place);
    if (taken_domains_has(&health->taken, candidate->recipient))
        return turn_in(0, place);
    bool is_refused = suspicion_is_refused_domain(&health->suspicion, candidate->recipient);
    return turn_in(is_refused ? 2 : 1, place);
}

bool smarthost_health_suspects(const struct smarthost_health *health, const char *id)
{
    return suspicion_turn(&health->suspicion, id) > 0;
}
