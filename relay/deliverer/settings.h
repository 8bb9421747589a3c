// settings.h - what the core said in `init`: one smarthost and how to talk to it.
#ifndef RELAY_DELIVERER_SETTINGS_H
#define RELAY_DELIVERER_SETTINGS_H

#include <stdbool.h>

enum driver_kind { DRIVER_ESMTP, DRIVER_CURL, DRIVER_FILE };
enum auth_mechanism { AUTH_OFFERED, AUTH_PLAIN, AUTH_LOGIN, AUTH_XOAUTH2, AUTH_OAUTHBEARER };
enum tls_mode { TLS_NONE, TLS_STARTTLS, TLS_IMPLICIT };

// Const once read. Strings that are not given are NULL.
struct settings {
    enum driver_kind driver;
    enum tls_mode tls;
    bool verify;
    char *host;
    int port;
    char *server_name; // what the certificate must say, where that is not host
    char *ca_file;     // whom to trust in place of the system's authorities
    char *user, *password;
    enum auth_mechanism auth; // AUTH_OFFERED: plain or login
    char *token_file;         // in place of the password; with the last two mechanisms, and only so
    char *dir;                // DRIVER_FILE
    char *helo;
    int connections;
    int messages_per_connection;
    int idle_ms, connect_timeout_ms, timeout_ms;
};

void settings_finish(struct settings *settings); // wipes the password

// NULL, or a setting's name where its value is of no use; *ret_what says why. Also moves what
// libesmtp cannot do (TLS, AUTH, literal IPv6 addresses) to libcurl.
const char *settings_check(struct settings *settings, const char **ret_what);

#endif
