#include "relay/smarthosts/suspicion.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "relay/smarthosts/taken_domains.h"

enum {
    ROW_OPENS = 3,      // suspicious refusals in a row
    LAST_REFUSAL = 3,   // of one message that nothing speaks for
    REFUSED_OPENS = 11, // of the last twenty verdicts
    DEATHS_OPEN = 3,
    SPEAKS_MS = 60 * 1000, // so long an envelope that was taken speaks for the smarthost, and one
                           // that was refused against it
};

void suspicion_init(struct suspicion *suspicion)
{
    *suspicion = (struct suspicion){0};
}

bool suspicion_is_suspicious(int code, const char *enhanced, const char *text)
{
    // "User unknown in relay recipient table" is about the address, whatever else it says.
    if (enhanced && strncmp(enhanced, "5.1.", 4) == 0)
        return false;
    if (enhanced && strncmp(enhanced, "5.7.", 4) == 0)
        return true;
    if (code == 530 || code == 554)
        return true;
    return (code == 550 || code == 551 || code == 553) && text && strcasestr(text, "relay");
}

// ---- who is remembered ----------------------------------------------------------------------

static const struct suspect *find(const struct suspicion *suspicion, const char *id)
{
    for (size_t i = 0; i < SUSPICION_MESSAGES; i++)
        if (strcmp(suspicion->suspects[i].id, id) == 0)
            return &suspicion->suspects[i];
    return NULL;
}

// Its place: the one that it has, else a new one, perhaps of who was there the longest.
static struct suspect *place_of(struct suspicion *suspicion,
                                const struct suspicion_message *message)
{
    struct suspect *best = &suspicion->suspects[0];
    for (size_t i = 0; i < SUSPICION_MESSAGES; i++) {
        struct suspect *at = &suspicion->suspects[i];
        if (strcmp(at->id, message->id) == 0)
            return at;
        if (at->turn < best->turn)
            best = at;
    }
    *best = (struct suspect){0};
    snprintf(best->id, sizeof(best->id), "%s", message->id);
    snprintf(best->recipient, sizeof(best->recipient), "%s", message->recipient);
    return best;
}

static void forget(struct suspicion *suspicion, const char *id)
{
    for (size_t i = 0; i < SUSPICION_MESSAGES; i++)
        if (strcmp(suspicion->suspects[i].id, id) == 0)
            suspicion->suspects[i] = (struct suspect){0};
}

static void has_trouble(struct suspicion *suspicion, struct suspect *suspect, int64_t now_ms)
{
    suspect->turn = ++suspicion->turns;
    suspect->since_ms = now_ms;
    suspect->envelope_taken_since = false;
}

// ---- refusals ---------------------------------------------------------------------------------

static void row_add(struct suspicion_row *row, const struct suspicion_message *message)
{
    const char *recipient = message->recipient;
    row->count++;
    row->has_known_domain = row->has_known_domain || message->is_known_domain;
    for (int i = 0; i < row->recipient_count; i++)
        if (strcasecmp(row->recipients[i], recipient) == 0)
            return;
    if (row->recipient_count < SUSPICION_ROW)
        snprintf(row->recipients[row->recipient_count++], SUSPICION_RECIPIENT_SIZE, "%s",
                 recipient);
}

static bool row_opens(const struct suspicion_row *row)
{
    bool has_domains = false;
    for (int i = 1; i < row->recipient_count; i++)
        has_domains = has_domains || strcasecmp(recipient_domain(row->recipients[i]),
                                                recipient_domain(row->recipients[0])) != 0;
    return (row->count >= ROW_OPENS && has_domains) || row->recipient_count == SUSPICION_ROW;
}

static bool has_other_at_dot(const struct suspicion *suspicion, const struct suspect *suspect)
{
    for (size_t i = 0; i < SUSPICION_MESSAGES; i++) {
        const struct suspect *at = &suspicion->suspects[i];
        if (at != suspect && at->refusals > 0 && at->at_dot)
            return true;
    }
    return false;
}

// Is a message to somebody else suspect as well, of late? One of several machines behind a
// smarthost's name may refuse all: what the others take meanwhile does not make it the message.
static bool has_other_lately(const struct suspicion *suspicion, const struct suspect *suspect)
{
    for (size_t i = 0; i < SUSPICION_MESSAGES; i++) {
        const struct suspect *at = &suspicion->suspects[i];
        if (at->refusals > 0 && !at->at_dot && suspect->since_ms - at->since_ms < SPEAKS_MS &&
            strcasecmp(at->recipient, suspect->recipient) != 0)
            return true;
    }
    return false;
}

static enum suspicion_verdict end_own(struct suspicion *suspicion, const char *id)
{
    forget(suspicion, id);
    return SUSPICION_OWN;
}

enum suspicion_verdict suspicion_refused(struct suspicion *suspicion,
                                         const struct suspicion_message *message, bool is_open)
{
    struct suspicion_row *row = &suspicion->row;
    struct suspect *suspect = place_of(suspicion, message);
    bool is_passed = suspect->refusals > 0 && suspect->envelope_taken_since;
    suspect->at_dot = false;
    suspect->refusals++;
    has_trouble(suspicion, suspect, message->now_ms);
    row_add(row, message);
    bool is_spoken_for =
        !is_open && !row->has_known_domain && message->now_ms < suspicion->spoken_for_until_ms;
    if (row_opens(row))
        return is_spoken_for ? SUSPICION_DENIED : SUSPICION_OPEN;
    // One envelope that was taken speaks for the smarthost of that moment, not of what came after.
    bool is_only = row->recipient_count == 1 && !has_other_lately(suspicion, suspect);
    if (!is_open && is_only && (is_passed || suspect->refusals >= LAST_REFUSAL))
        return end_own(suspicion, message->id);
    return is_spoken_for ? SUSPICION_DENIED : SUSPICION_SUSPECT;
}

static void add_verdict(struct suspicion *suspicion, bool refused)
{
    const uint32_t mask = (UINT32_C(1) << SUSPICION_VERDICTS) - 1;
    suspicion->refused_bits = ((suspicion->refused_bits << 1) | refused) & mask;
    if (suspicion->verdict_count < SUSPICION_VERDICTS)
        suspicion->verdict_count++;
}

static bool refuses_most(const struct suspicion *suspicion)
{
    int refused = __builtin_popcount(suspicion->refused_bits);
    return refused >= REFUSED_OPENS && 2 * refused > suspicion->verdict_count;
}

enum suspicion_verdict suspicion_refused_at_dot(struct suspicion *suspicion,
                                                const struct suspicion_message *message,
                                                bool is_open)
{
    add_verdict(suspicion, true);
    if (!refuses_most(suspicion) && !is_open)
        return end_own(suspicion, message->id);
    struct suspect *suspect = place_of(suspicion, message);
    suspect->at_dot = true;
    suspect->refusals++;
    has_trouble(suspicion, suspect, message->now_ms);
    bool is_last = suspect->refusals >= LAST_REFUSAL && !has_other_at_dot(suspicion, suspect);
    return !is_open && is_last ? end_own(suspicion, message->id) : SUSPICION_OPEN;
}

void suspicion_envelope_taken(struct suspicion *suspicion, const struct suspicion_message *message)
{
    suspicion->row = (struct suspicion_row){0};
    suspicion->spoken_for_until_ms = message->now_ms + SPEAKS_MS;
    for (size_t i = 0; i < SUSPICION_MESSAGES; i++) {
        struct suspect *at = &suspicion->suspects[i];
        if (strcmp(at->id, message->id) != 0) {
            // What had begun before may have been taken before: it says nothing of since.
            if (message->started_ms >= at->since_ms)
                at->envelope_taken_since = true;
        } else if (!at->at_dot) {
            *at = (struct suspect){0}; // all that was held against it was of before this
        }
    }
}

void suspicion_verdict(struct suspicion *suspicion, const struct suspicion_message *message,
                       bool sent)
{
    add_verdict(suspicion, false);
    if (sent)
        forget(suspicion, message->id);
}

// ---- what ends more than its own transaction ---------------------------------------------------

bool suspicion_session_ended(struct suspicion *suspicion, const struct suspicion_message *message)
{
    struct suspect *suspect = place_of(suspicion, message);
    bool is_own = suspect->sessions > 0 && suspect->envelope_taken_since;
    suspect->sessions++;
    has_trouble(suspicion, suspect, message->now_ms);
    return !is_own;
}

enum suspicion_death suspicion_died(struct suspicion *suspicion,
                                    const struct suspicion_message *message, bool is_alone)
{
    const struct suspect *known = find(suspicion, message->id);
    bool is_again = known && known->deaths > 0;
    struct suspect *suspect = place_of(suspicion, message);
    suspect->deaths++;
    has_trouble(suspicion, suspect, message->now_ms);
    if (suspicion->deaths_in_row > 0 && !is_again)
        suspicion->deaths_of_several = true;
    if (suspicion->deaths_in_row + 1 >= DEATHS_OPEN && suspicion->deaths_of_several)
        return SUSPICION_BROKEN;
    return is_alone || is_again ? SUSPICION_CHARGE : SUSPICION_SPARE;
}

void suspicion_count_death(struct suspicion *suspicion)
{
    suspicion->deaths_in_row++;
}

void suspicion_alive(struct suspicion *suspicion)
{
    suspicion->deaths_in_row = 0;
    suspicion->deaths_of_several = false;
}

uint64_t suspicion_turn(const struct suspicion *suspicion, const char *id)
{
    const struct suspect *suspect = find(suspicion, id);
    return suspect ? suspect->turn : 0;
}

bool suspicion_is_refused_domain(const struct suspicion *suspicion, const char *recipient)
{
    const char *domain = recipient_domain(recipient);
    for (size_t i = 0; i < SUSPICION_MESSAGES; i++) {
        const struct suspect *at = &suspicion->suspects[i];
        if (at->refusals > 0 && strcasecmp(recipient_domain(at->recipient), domain) == 0)
            return true;
    }
    return false;
}

int suspicion_count(const struct suspicion *suspicion, const char *id)
{
    const struct suspect *suspect = find(suspicion, id);
    return suspect ? suspect->refusals + suspect->sessions : 0;
}
