// probe.h - how far a delivery would come, up to the answer to its MAIL: resolve, connect, TLS,
// EHLO, AUTH, MAIL, QUIT. No mail is sent.
//
// With the options, the library and the TLS of smtp_curl.c, also where mail goes by libesmtp, which
// does none of what can be wrong here but connecting and EHLO.
#ifndef RELAY_DELIVERER_PROBE_H
#define RELAY_DELIVERER_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/deliverer/outcome.h"
#include "relay/deliverer/settings.h"

#define PROBE_CERTIFICATES_MAX 8
#define PROBE_OFFERS_MAX 16
#define PROBE_TEXT_SIZE 128
#define PROBE_SENDER_SIZE 256 // with the NUL

struct probe_certificate {
    char subject[PROBE_TEXT_SIZE], issuer[PROBE_TEXT_SIZE]; // printable ASCII
    int64_t not_before_ms, not_after_ms;                    // since the epoch
    char fault[PROBE_TEXT_SIZE]; // what OpenSSL has against it; empty: nothing
};

struct probe {
    bool has_passed;
    const char *stage;  // where it ended: an outcome's, or "resolve"; NULL: it has passed
    struct reply reply; // the refusal; code 0: text is the library's, or ours
    bool is_own_text;   // reply.text is all our own words
    const char *alarm;  // "tls", "auth" or NULL
    char address[OUTCOME_ADDRESS_SIZE];
    char tls[OUTCOME_TLS_SIZE];
    // What the last EHLO offered, of the extensions that we know ("SIZE 10240000"), and STARTTLS,
    // which only the first one does.
    char offers[PROBE_OFFERS_MAX][PROBE_TEXT_SIZE];
    size_t offer_count;
    bool is_authenticated;
    struct probe_certificate certificates[PROBE_CERTIFICATES_MAX]; // the server's own first
    size_t certificate_count;
    char *token; // in use, which no text may show; the caller wipe_free()s it. Or NULL
};

// sender is what MAIL names, an address; one that is empty or not of ASCII has NOOP said in place
// of MAIL. Waits, for at most twice settings' connect_timeout_ms and then some seconds for the
// answers to MAIL and QUIT.
void probe_smarthost(const struct settings *settings, const char *sender, struct probe *ret_probe);

#endif
