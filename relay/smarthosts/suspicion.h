// suspicion.h - pure: is a refusal a message's own fault, or something wrong with the smarthost?
//
// A smarthost whose configuration has gone wrong (or ours: an address that is not allowed to relay
// any more, a quota, DMARC) refuses good mail with permanent codes. One suspicion per smarthost
// remembers which messages it refused so, and what it took meanwhile. Its answer decides whether
// a message ends, and whether the circuit opens.
#ifndef RELAY_SMARTHOSTS_SUSPICION_H
#define RELAY_SMARTHOSTS_SUSPICION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SUSPICION_MESSAGES 32 // remembered; the one whose trouble is the longest ago goes first
#define SUSPICION_VERDICTS 20 // after the dot
#define SUSPICION_ID_SIZE 37
#define SUSPICION_RECIPIENT_SIZE 321
#define SUSPICION_ROW 5 // recipients of one domain, refused in a row, open the circuit

struct suspect {
    char id[SUSPICION_ID_SIZE]; // empty: a free place
    char recipient[SUSPICION_RECIPIENT_SIZE];
    uint64_t turn;             // a later trouble has a higher one
    int64_t since_ms;          // of its last trouble
    int refusals;              // suspicious ones
    int sessions;              // that ended at its MAIL
    int deaths;                // of deliverers that had it under way
    bool at_dot;               // where it was refused last: after the dot, else before 354
    bool envelope_taken_since; // another message's, begun since its last trouble
};

// Suspicious refusals of envelopes, and none taken between.
struct suspicion_row {
    int count;
    bool has_known_domain; // of one of them
    int recipient_count;   // different ones, the first of which are
    char recipients[SUSPICION_ROW][SUSPICION_RECIPIENT_SIZE];
};

struct suspicion {
    struct suspect suspects[SUSPICION_MESSAGES];
    uint64_t turns;
    struct suspicion_row row;
    int64_t spoken_for_until_ms; // by the last envelope that was taken
    uint32_t refused_bits; // verdicts after the dot, the last one lowest: 1 a permanent refusal
    int verdict_count;     // of them, at most SUSPICION_VERDICTS
    int deaths_in_row;
    bool deaths_of_several;
};

// Of whose transaction is told.
struct suspicion_message {
    const char *id, *recipient;
    int64_t started_ms, now_ms; // of one clock
    bool is_known_domain;       // the recipient's: a smarthost has lately taken mail to it
};

enum suspicion_verdict {
    SUSPICION_OWN,     // the message's own fault: the refusal means what it says
    SUSPICION_SUSPECT, // the message stays
    SUSPICION_DENIED,  // so does it, and has had an attempt: others are taken meanwhile, and more
                       // may be refused so than are remembered
    SUSPICION_OPEN,    // so does it, and the circuit opens
};

void suspicion_init(struct suspicion *suspicion);

// Is this permanent answer to RCPT, or to DATA, one that a smarthost may give to everybody when
// something is wrong? enhanced and text may be NULL.
bool suspicion_is_suspicious(int code, const char *enhanced, const char *text);

// Refused by such an answer. It opens the circuit when three came in a row, to more than one
// domain, or to five recipients of one; but not in the minute after an envelope was taken while all
// of the row are to domains that were not: a stranger may have Kratos write to as many of those as
// he likes, and a smarthost that has gone wrong refuses known ones, too. It is the message's own
// only where nobody else was so refused since an envelope was taken, nor is suspect of the last
// minute: when another one's was since it refused this one before, and at the third time. is_open:
// the circuit is open by suspicion, which makes it nobody's own.
enum suspicion_verdict suspicion_refused(struct suspicion *suspicion,
                                         const struct suspicion_message *message, bool is_open);
// Refused for good after the dot: mostly the message's own, but not when more than half of the
// last twenty verdicts were such (11 at least), unless it is the third time and no other message
// is suspect. is_open: the circuit is open by such refusals.
enum suspicion_verdict suspicion_refused_at_dot(struct suspicion *suspicion,
                                                const struct suspicion_message *message,
                                                bool is_open);
// Its envelope was taken: RCPT, and 354 said. Its end, after the dot or before, is told by another
// of these or by none.
void suspicion_envelope_taken(struct suspicion *suspicion, const struct suspicion_message *message);
// A verdict after the dot that is no permanent refusal. Sent: it is no suspect any more.
void suspicion_verdict(struct suspicion *suspicion, const struct suspicion_message *message,
                       bool sent);

// The session ended at its MAIL, which is the smarthost's fault. False: it is this message's,
// since another one was taken after this had happened to it before.
bool suspicion_session_ended(struct suspicion *suspicion, const struct suspicion_message *message);

enum suspicion_death {
    SUSPICION_CHARGE, // this message may be what killed it
    SUSPICION_SPARE,  // nobody knows which one did
    SUSPICION_BROKEN, // the third in a row, and not of one message: it is the deliverer
};
// A deliverer died with the message under way before its dot; is_alone: with no other.
enum suspicion_death suspicion_died(struct suspicion *suspicion,
                                    const struct suspicion_message *message, bool is_alone);
// Behind all that was under way in it.
void suspicion_count_death(struct suspicion *suspicion);
// A deliverer has told how a transaction ended: it lives.
void suspicion_alive(struct suspicion *suspicion);

// 0: nothing is held against the message. Else: among those with something, the lowest has waited
// the longest.
uint64_t suspicion_turn(const struct suspicion *suspicion, const char *id);
// Is a message to the same domain one that it has refused?
bool suspicion_is_refused_domain(const struct suspicion *suspicion, const char *recipient);
// How often it was refused, and ended a session, without being charged for it.
int suspicion_count(const struct suspicion *suspicion, const char *id);

#endif
