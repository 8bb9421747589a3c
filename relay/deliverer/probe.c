#include "relay/deliverer/probe.h"

#include <ctype.h>
#include <curl/curl.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "relay/deliverer/certificates.h"
#include "relay/deliverer/curl_error.h"
#include "relay/deliverer/curl_options.h"
#include "relay/deliverer/dialogue.h"
#include "relay/deliverer/token.h"

enum { QUIT_LIMIT_S = 5, MS_PER_S = 1000 };

struct look {
    const struct settings *settings;
    struct probe *probe;
    struct dialogue dialogue;
    CURL *curl;
    struct curl_slist *connect_to;
    const char *not_allowed; // why a delivery would not begin
    bool may_mail;           // all before MAIL was well
    bool offers_starttls;
    char error[CURL_ERROR_SIZE];
};

// ---- what EHLO offers ---------------------------------------------------------------------------

// The words behind a keyword, of letters, digits and hyphens: "PLAIN LOGIN", "10240000".
static void copy_words(const char *from, size_t size, char *to, size_t room)
{
    size_t used = 0;
    for (size_t i = 0; i < size && used + 1 < room; i++) {
        unsigned char c = (unsigned char)from[i];
        if (isascii(c) && (isalnum(c) || strchr("-_ ", c)))
            to[used++] = (char)toupper(c);
    }
    while (used > 0 && to[used - 1] == ' ')
        used--;
    to[used] = '\0';
}

static void add_offer(struct probe *probe, const char *keyword, const char *words)
{
    if (probe->offer_count == PROBE_OFFERS_MAX)
        return;
    snprintf(probe->offers[probe->offer_count++], PROBE_TEXT_SIZE, "%s%s%s", keyword,
             *words ? " " : "", words);
}

// One line of EHLO's answer, "250-SIZE 10240000": only what is known is repeated to anybody.
static void note_offer(struct look *look, const char *line, size_t size)
{
    static const char *const known[] = {"PIPELINING", "SIZE", "8BITMIME",
                                        "SMTPUTF8",   "AUTH", "STARTTLS",
                                        "CHUNKING",   "DSN",  "ENHANCEDSTATUSCODES",
                                        "REQUIRETLS"};
    size_t length = 0;
    while (4 + length < size && !strchr(" \r\n", line[4 + length]))
        length++;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (length != strlen(known[i]) || strncasecmp(line + 4, known[i], length) != 0)
            continue;
        char words[PROBE_TEXT_SIZE - 24];
        copy_words(line + 4 + length, size - 4 - length, words, sizeof(words));
        add_offer(look->probe, known[i], words + (*words == ' '));
        look->offers_starttls = look->offers_starttls || strcmp(known[i], "STARTTLS") == 0;
    }
}

// ---- libcurl's callbacks ------------------------------------------------------------------------

static curl_socket_t open_socket(void *argument, curlsocktype purpose,
                                 struct curl_sockaddr *address)
{
    struct look *look = argument;
    char host[OUTCOME_ADDRESS_SIZE - 8] = "", port[8] = "";
    (void)purpose;
    dialogue_open(&look->dialogue);
    (void)getnameinfo(&address->addr, address->addrlen, host, sizeof(host), port, sizeof(port),
                      NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(look->probe->address, OUTCOME_ADDRESS_SIZE, strchr(host, ':') ? "[%s]:%s" : "%s:%s",
             host, port);
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

// Commands, as they were written. Nothing of what comes here is kept or shown.
static int on_debug(CURL *curl, curl_infotype type, char *data, size_t size, void *argument)
{
    struct look *look = argument;
    (void)curl;
    if (type != CURLINFO_HEADER_OUT)
        return 0;
    dialogue_sent(&look->dialogue, data, size);
    if (size >= 5 && strncasecmp(data, "EHLO ", 5) == 0)
        look->probe->offer_count = 0; // those before TLS count no more
    return 0;
}

static size_t on_reply_line(char *data, size_t unit, size_t count, void *argument)
{
    struct look *look = argument;
    struct dialogue *dialogue = &look->dialogue;
    bool is_offer = dialogue->stage == STAGE_EHLO && dialogue->reply_lines > 0 && !look->may_mail;
    if (!dialogue_heard(dialogue, data, unit * count))
        return 0;
    if (is_offer && unit * count > 4)
        note_offer(look, data, unit * count);
    return unit * count;
}

static size_t discard(char *data, size_t unit, size_t count, void *argument)
{
    (void)data;
    (void)argument;
    return unit * count;
}

static CURLcode on_tls(CURL *curl, void *ssl_context, void *argument)
{
    struct look *look = argument;
    (void)curl;
    certificates_note(ssl_context, look->probe);
    return CURLE_OK;
}

// Called where MAIL goes out next, or NOOP without a sender to say it of. libcurl says QUIT to
// those only that it has not failed with; QUIT ends the transaction that MAIL began (RFC 5321
// §4.1.1.10).
static int before_mail(void *argument, char *peer, char *local, int peer_port, int local_port)
{
    struct look *look = argument;
    struct probe *probe = look->probe;
    (void)peer, (void)local, (void)peer_port, (void)local_port;
    certificates_version(look->curl, probe->tls);
    probe->is_authenticated = look->dialogue.authenticated;
    if (look->settings->tls != TLS_NONE && !probe->tls[0]) {
        dialogue_enter(&look->dialogue, STAGE_STARTTLS);
        look->not_allowed = "the connection is not encrypted";
    } else if (look->settings->user && !probe->is_authenticated) {
        dialogue_enter(&look->dialogue, STAGE_AUTH);
        look->not_allowed = "the smarthost does not offer AUTH";
    } else {
        look->may_mail = true;
    }
    (void)curl_easy_setopt(look->curl, CURLOPT_SERVER_RESPONSE_TIMEOUT, (long)QUIT_LIMIT_S);
    return look->may_mail ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

// ---- one look -----------------------------------------------------------------------------------

// Whether the sender may stand in a command as it is: an ASCII address, and nothing behind it.
static bool may_stand_in_mail(const char *sender)
{
    for (const char *at = sender; *at; at++)
        if (*at <= ' ' || *at > '~' || strchr("<>", *at))
            return false;
    return *sender != '\0';
}

static CURLcode set_options(struct look *look, const char *sender)
{
    CURL *curl = look->curl;
    char command[PROBE_SENDER_SIZE + 16] = "NOOP";
    if (may_stand_in_mail(sender))
        snprintf(command, sizeof(command), "MAIL FROM:<%s>", sender);
    CURLcode rc = curl_options_set(curl, look->settings, &look->connect_to);
    long limit_ms = 2L * look->settings->connect_timeout_ms;
#define SET(option, value) (rc = rc != CURLE_OK ? rc : curl_easy_setopt(curl, option, value))
    SET(CURLOPT_UPLOAD, 0L);
    SET(CURLOPT_CUSTOMREQUEST, command);
    SET(CURLOPT_TIMEOUT_MS, limit_ms);
    SET(CURLOPT_SERVER_RESPONSE_TIMEOUT, limit_ms / MS_PER_S + 1);
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_OPENSOCKETDATA, look);
    SET(CURLOPT_VERBOSE, 1L); // else the debug callback is not called; it prints nothing
    SET(CURLOPT_DEBUGFUNCTION, on_debug);
    SET(CURLOPT_DEBUGDATA, look);
    SET(CURLOPT_HEADERFUNCTION, on_reply_line);
    SET(CURLOPT_HEADERDATA, look);
    SET(CURLOPT_WRITEFUNCTION, discard);
    SET(CURLOPT_SSL_CTX_FUNCTION, on_tls);
    SET(CURLOPT_SSL_CTX_DATA, look);
    SET(CURLOPT_PREREQFUNCTION, before_mail);
    SET(CURLOPT_PREREQDATA, look);
    SET(CURLOPT_ERRORBUFFER, look->error);
    if (look->probe->token)
        SET(CURLOPT_XOAUTH2_BEARER, look->probe->token);
#undef SET
    return rc;
}

static void fail(struct probe *probe, enum stage stage, const char *text)
{
    probe->stage = outcome_stage_name(stage);
    reply_set_text(&probe->reply, text, strlen(text));
}

// Who refuses the sender refuses every mail. Who only takes long for it, or for NOOP or QUIT, is no
// fault to be told.
static bool has_passed(const struct look *look, CURLcode rc)
{
    const struct dialogue *dialogue = &look->dialogue;
    if (!look->may_mail || dialogue->stage != STAGE_MAIL)
        return look->may_mail;
    return dialogue->answered ? dialogue->reply.code < 400 : rc == CURLE_OPERATION_TIMEDOUT;
}

static void judge(struct look *look, CURLcode rc)
{
    struct probe *probe = look->probe;
    struct dialogue *dialogue = &look->dialogue;
    curl_off_t connected_us = 0;
    probe->has_passed = has_passed(look, rc);
    if (probe->has_passed)
        return;
    (void)curl_easy_getinfo(look->curl, CURLINFO_CONNECT_TIME_T, &connected_us);
    enum stage stage = dialogue->stage;
    bool is_refused = dialogue->answered && dialogue->reply.code >= 400;
    if (!is_refused && !look->not_allowed)
        stage = curl_error_stage(rc, stage, connected_us > 0, look->settings->tls == TLS_IMPLICIT);
    // Some of libcurl's texts end in a full stop, or two, and some in none.
    for (size_t size = strlen(look->error); size > 0 && look->error[size - 1] == '.'; size--)
        look->error[size - 1] = '\0';
    fail(probe, stage,
         look->not_allowed  ? look->not_allowed
         : dialogue->broken ? DIALOGUE_BROKEN_TEXT
         : look->error[0]   ? look->error
                            : curl_easy_strerror(rc));
    // Not a byte has come from there, or libcurl waited for some: a port, or its milliseconds, are
    // no code.
    bool is_silent = connected_us == 0 && !dialogue->answered;
    probe->is_own_text = !is_refused && (is_silent || rc == CURLE_OPERATION_TIMEDOUT ||
                                         look->not_allowed || dialogue->broken);
    if (is_refused)
        probe->reply = dialogue->reply;
    if (rc == CURLE_COULDNT_RESOLVE_HOST)
        probe->stage = "resolve";
    if (stage == STAGE_STARTTLS)
        probe->alarm = "tls";
    else if (stage == STAGE_AUTH && (is_refused || look->not_allowed || rc == CURLE_LOGIN_DENIED))
        probe->alarm = "auth";
}

static bool read_token(struct look *look)
{
    struct token_file file = {0};
    struct error err;
    if (!look->settings->token_file)
        return true;
    look->probe->token = token_read(&file, look->settings->token_file, &err);
    if (look->probe->token)
        return true;
    fail(look->probe, STAGE_AUTH, err.message);
    look->probe->is_own_text = true;
    look->probe->alarm = "auth";
    return false;
}

void probe_smarthost(const struct settings *settings, const char *sender, struct probe *ret_probe)
{
    struct look look = {.settings = settings, .probe = ret_probe};
    *ret_probe = (struct probe){.has_passed = false};
    dialogue_open(&look.dialogue);
    if (settings->driver == DRIVER_FILE) {
        ret_probe->has_passed = true; // init has looked at the folder
        return;
    }
    if (!read_token(&look))
        return;
    look.curl = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? curl_easy_init() : NULL;
    CURLcode rc = look.curl ? set_options(&look, sender) : CURLE_OUT_OF_MEMORY;
    if (rc == CURLE_OK)
        rc = curl_easy_perform(look.curl);
    judge(&look, rc);
    if (look.offers_starttls && ret_probe->tls[0])
        add_offer(ret_probe, "STARTTLS", "");
    curl_easy_cleanup(look.curl);
    curl_slist_free_all(look.connect_to);
}
