// smarthost.h - what RELAY_SMTP_URI names: the servers that mail is handed to.
//
// The grammar is that of Kratos' courier.smtp.connection_uri (Kratos courier/smtp.go), so that a
// URI can be moved from there: smtp://USER:PASSWORD@HOST:PORT/?disable_starttls=true
//   smtp://   STARTTLS is required, unless disable_starttls=true
//   smtps://  TLS from the first byte
//   file:DIR  writes each mail as a file, for development
// and the parameters skip_ssl_verify and server_name; ours (smarthost_options.c) are beside them.
// USER and PASSWORD are percent-encoded. A port left out, which Kratos refuses, is 587 with
// STARTTLS, 465 with smtps, 25 in the clear.
#ifndef RELAY_SMARTHOSTS_SMARTHOST_H
#define RELAY_SMARTHOSTS_SMARTHOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/error.h"
#include "relay/rate_limit.h"

#define SMARTHOST_NAME_SIZE 65
#define SMARTHOST_IDLE_MS 30000
#define SMARTHOST_MESSAGES 100
#define SMARTHOST_CONNECTIONS_MAX 128
#define SMARTHOST_MESSAGES_MAX 100000

enum smarthost_tls { SMARTHOST_TLS_NONE, SMARTHOST_TLS_STARTTLS, SMARTHOST_TLS_IMPLICIT };
// esmtp: in the clear, without AUTH, no IPv6 literal (design §3); curl: every other server.
enum smarthost_driver { SMARTHOST_ESMTP, SMARTHOST_CURL, SMARTHOST_FILE };

struct smarthost {
    char name[SMARTHOST_NAME_SIZE]; // "host:port" or "file": for logs and the queue
    char *uri;                      // secret: what it was read from, to tell a change of it by
    char *host;                     // an IPv6 literal without its brackets; NULL: file
    uint16_t port;
    enum smarthost_tls tls;
    bool verify;       // false: skip_ssl_verify
    char *server_name; // what the certificate must say, NULL: host
    char *ca_file;     // whom to trust, NULL: whom the system does
    char *user;        // NULL: no AUTH
    char *password;    // secret; NULL exactly where user is
    const char *auth;  // "plain", "login", "xoauth2", "oauthbearer"; NULL: one of the first two
    char *token_file;  // of the two others, and of no one else: what holds the bearer token
    char *dir;         // file only
    enum smarthost_driver driver;
    int connections;             // at most so many at once; 0: as the setting `connections` says
    int idle_ms;                 // how long one that is not in use is kept
    int messages_per_connection; // then another one is opened
    struct rates rate;           // at most so many messages in those times
};

// Parses one or more URIs, separated by commas, best first. A comma is a separator only where a
// scheme follows it, so that one in a password does no harm. ERR_INPUT names the URI by its
// place in the list and never repeats its text, which may hold a password.
// Release with smarthosts_free().
bool smarthosts_parse(const char *text, struct smarthost **ret_smarthosts, size_t *ret_count,
                      struct error *err);
// What may stand where a host does, but for an IPv6 literal.
bool smarthost_host_is_valid(const char *host);

// Wipes passwords. NULL is a no-op.
void smarthosts_free(struct smarthost *smarthosts, size_t count);

const char *smarthost_tls_name(enum smarthost_tls tls);          // "none", "starttls", "implicit"
const char *smarthost_driver_name(enum smarthost_driver driver); // "esmtp", "curl", "file"

#endif
