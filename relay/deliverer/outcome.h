// outcome.h - what became of one attempt, by the table of docs/protocol.md.
//
// A driver does not decide: it says how far the dialogue came and what was answered, and
// outcome_judge() gives the class. So both drivers mean the same by "temporary". Pure; no I/O.
#ifndef RELAY_DELIVERER_OUTCOME_H
#define RELAY_DELIVERER_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/deliverer/reply.h"

#define OUTCOME_ADDRESS_SIZE 64
#define OUTCOME_TLS_SIZE 16

enum stage {
    STAGE_CONNECT,
    STAGE_GREETING,
    STAGE_EHLO,
    STAGE_STARTTLS, // also the handshake of implicit TLS
    STAGE_AUTH,
    STAGE_MAIL,
    STAGE_RCPT,
    STAGE_DATA,
    STAGE_BODY,
    STAGE_DOT,
};

enum outcome_kind {
    OUTCOME_SENT,
    OUTCOME_TEMPORARY,
    OUTCOME_PERMANENT,
    OUTCOME_SESSION, // the smarthost's fault: nothing is charged to the message
    OUTCOME_UNKNOWN, // the dot was begun and no verdict read
    OUTCOME_EXPIRED, // past its deadline before the dot
    OUTCOME_CUT,     // told to, before the dot
    OUTCOME_UNABLE,  // the smarthost lacks what the message needs, as its EHLO told
};

struct outcome {
    enum outcome_kind kind;
    enum stage stage;
    struct reply reply; // code 0: text is not the smarthost's
    bool is_own_text;   // reply.text is all our own words, and holds nothing of anybody else's
    char address[OUTCOME_ADDRESS_SIZE];
    char tls[OUTCOME_TLS_SIZE];  // "TLSv1.3", or empty
    int64_t certificate_ends_ms; // the smarthost's, since the epoch; 0: none was shown
    const char *alarm;           // "tls", "auth" or NULL
    const char *token; // in use, which no text may show; the driver's, good in done(); or NULL
};

// Why a transaction was ended from our side.
enum stop {
    STOP_NONE,
    STOP_CUT,     // the core said so
    STOP_LIMIT,   // it took too long altogether
    STOP_EXPIRED, // its deadline had passed when the dot was due
    STOP_BROKEN,  // the connection was found dead or out of step when the dot was due
};

// How a transaction ended.
struct trace {
    enum stage stage;   // what was sent last and looked for an answer (or was under way)
    bool answered;      // reply answers that
    struct reply reply; // else reply.text may say why there is none
    bool dot_begun;
    bool size_declared; // MAIL carried SIZE=, so 452 and 552 are about this message
    enum stop stop;
};

// Does this code in answer to the dot say what became of the message?
bool outcome_is_verdict(int code);

// Fills kind, stage, reply and alarm; the other fields stay as they are.
void outcome_judge(const struct trace *trace, struct outcome *outcome);

// For what is decided without the smarthost: kind, stage and our own words.
void outcome_set(struct outcome *outcome, enum outcome_kind kind, enum stage stage,
                 const char *text);

const char *outcome_kind_name(enum outcome_kind kind);
const char *outcome_stage_name(enum stage stage);

#endif
