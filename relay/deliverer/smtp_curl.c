// libcurl as a driver: every smarthost with TLS or AUTH.
//
// libcurl refuses what it should (bytes injected behind STARTTLS's 220, wrong certificates, a
// failed AUTH), but for two things that are looked after here: where EHLO offers no AUTH it
// sends unauthenticated, so the callback before MAIL insists on a 235; and it never says what a
// smarthost answered, so the dialogue is overheard. After any refusal it closes the connection.
// Sources named here are curl 7.88.1's.
#include <curl/curl.h>

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/cleanup.h"
#include "relay/base/clock.h"
#include "relay/deliverer/certificates.h"
#include "relay/deliverer/connect_shim.h"
#include "relay/deliverer/curl_ear.h"
#include "relay/deliverer/curl_error.h"
#include "relay/deliverer/curl_options.h"
#include "relay/deliverer/dialogue.h"
#include "relay/deliverer/smtp_driver.h"
#include "relay/deliverer/token.h"

struct client {
    const struct settings *settings;
    struct wire *wire;
    CURL *curl;
    struct curl_slist *connect_to; // where server_name differs from host

    struct curl_ear ear; // at the connection
    char tls[OUTCOME_TLS_SIZE];
    int64_t certificate_ends_ms; // where there is that
    struct token_file token_file;
    char *token;                         // as it was read last
    char token_fault[DIALOGUE_LINE_MAX]; // what the smarthost had against the token, as it said it
    int message_count;                   // that it has carried

    const struct job *job;                 // the message under way
    size_t body_given;                     // bytes of it that the library has taken
    int64_t begun_boot_ms, opened_boot_ms; // ... and when the last socket of it was
    bool fresh;                            // it opened a connection of its own
    bool token_is_old;                     // ... or would have, but with a token that was renewed
    bool gave_up;                          // on connecting
    const char *not_allowed;               // why nothing may be sent, or no connection opened
    char error[CURL_ERROR_SIZE];
};

// libcurl opens it by itself, and would wait for a pipe's writer where no limit reaches it.
static bool has_unfit_authorities(const struct client *client)
{
    const char *path = client->settings->ca_file;
    struct stat status;
    return path && stat(path, &status) == 0 && !S_ISREG(status.st_mode);
}

static curl_socket_t open_socket(void *argument, curlsocktype purpose,
                                 struct curl_sockaddr *address)
{
    struct client *client = argument;
    (void)purpose;
    const char *token_file = client->settings->token_file;
    if (token_file && token_has_changed(&client->token_file, token_file)) {
        client->token_is_old = true; // a kept connection has died since it was looked at
        return CURL_SOCKET_BAD;
    }
    if (has_unfit_authorities(client)) {
        client->tls[0] = '\0';
        dialogue_open(&client->ear.dialogue);
        dialogue_enter(&client->ear.dialogue, STAGE_STARTTLS);
        client->not_allowed = "the ca_file is no regular file";
        return CURL_SOCKET_BAD;
    }
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0)
        return CURL_SOCKET_BAD;
    if (!wire_opened(client->wire, fd, &address->addr, address->addrlen)) {
        close(fd);
        return CURL_SOCKET_BAD;
    }
    client->fresh = true;
    client->opened_boot_ms = clock_boot_ms();
    client->tls[0] = client->token_fault[0] = '\0';
    curl_ear_open(&client->ear);
    return fd;
}

static int close_socket(void *argument, curl_socket_t fd)
{
    struct client *client = argument;
    wire_closed(client->wire, fd);
    client->message_count = 0;
    return close(fd);
}

// Commands, as they were written. Nothing of what comes here is kept or shown.
static int on_debug(CURL *curl, curl_infotype type, char *data, size_t size, void *argument)
{
    struct client *client = argument;
    (void)curl;
    if (type == CURLINFO_HEADER_OUT)
        dialogue_sent(&client->ear.dialogue, data, size);
    return 0;
}

// A token is refused by a 334 with the reason in it (RFC 7628 §3.2.2), where libcurl leaves.
static void keep_token_fault(struct client *client, const char *line, size_t size)
{
    unsigned char fault[DIALOGUE_LINE_MAX];
    while (size > 0 && strchr("\r\n", line[size - 1]))
        size--;
    if (size <= 4 || size > sizeof(fault))
        return;
    int length = EVP_DecodeBlock(fault, (const unsigned char *)line + 4, (int)size - 4);
    if (length > 0)
        snprintf(client->token_fault, sizeof(client->token_fault), "%.*s", length,
                 (const char *)fault);
}

// Of the messages that this connection may carry.
static bool is_last(const struct client *client)
{
    return client->message_count + 1 >= client->settings->messages_per_connection;
}

// What on_reply_line() returns for no SMTP, and for the last word. libcurl fails then, but behind
// the dot it would keep the connection (smtp.c, smtp_done).
static size_t give_up(struct client *client)
{
    wire_hush(client->wire);
    return 0;
}

// A line of a reply. Returning less than size makes libcurl drop the connection.
static size_t on_reply_line(char *data, size_t unit, size_t count, void *argument)
{
    struct client *client = argument;
    const struct dialogue *dialogue = &client->ear.dialogue;
    size_t size = unit * count;
    enum curl_heard heard = curl_ear_hear(&client->ear, data, size);
    if (heard == CURL_HEARD_WRONG)
        return give_up(client);
    if (heard == CURL_HEARD_PART)
        return size;
    // At once: libcurl may say QUIT and wait for the answer before we are back.
    if (dialogue->stage == STAGE_MAIL && dialogue->reply.code / 100 == 2)
        wire_take_mail(client->wire);
    if (dialogue->stage == STAGE_DOT)
        wire_verdict(client->wire, dialogue->reply.code);
    if (heard == CURL_HEARD_LAST)
        return give_up(client);
    if ((dialogue->stage >= STAGE_MAIL && dialogue->reply.code >= 400) ||
        (dialogue->stage == STAGE_DOT && is_last(client)))
        wire_hush(client->wire);
    if (dialogue->stage == STAGE_AUTH && dialogue->reply.code == 334 &&
        client->settings->token_file)
        keep_token_fault(client, data, size);
    return size;
}

static size_t discard(char *data, size_t unit, size_t count, void *argument)
{
    (void)data;
    (void)argument;
    return unit * count;
}

// Called when the connection is ready and MAIL is what goes out next (multi.c, MSTATE_DO).
static int before_mail(void *argument, char *peer, char *local, int peer_port, int local_port)
{
    struct client *client = argument;
    const struct dialogue *dialogue = &client->ear.dialogue;
    (void)peer, (void)local, (void)peer_port, (void)local_port;
    SSL *ssl = curl_ear_encryption(&client->ear);
    if (client->tls[0] == '\0' && ssl) {
        snprintf(client->tls, sizeof(client->tls), "%s", SSL_get_version(ssl));
        client->certificate_ends_ms = certificates_end_ms(ssl);
    }

    if (client->settings->tls != TLS_NONE && client->tls[0] == '\0') {
        dialogue_enter(&client->ear.dialogue, STAGE_STARTTLS);
        client->not_allowed = "the connection is not encrypted";
    } else if (client->settings->user && !dialogue->authenticated) {
        dialogue_enter(&client->ear.dialogue, STAGE_AUTH);
        client->not_allowed = "the smarthost does not offer AUTH";
    } else if (client->job->smtputf8 && !dialogue->offers_smtputf8) {
        dialogue_enter(&client->ear.dialogue, STAGE_RCPT);
        client->not_allowed = "the recipient needs SMTPUTF8, which the smarthost does not offer";
    } else if (dialogue_is_too_big(dialogue, client->job->body_size)) {
        dialogue_enter(&client->ear.dialogue, STAGE_RCPT);
        client->not_allowed = DIALOGUE_TOO_BIG_TEXT;
    } else {
        dialogue_enter(&client->ear.dialogue, STAGE_MAIL);
        client->ear.dialogue.broken = !curl_ear_is_in_step(&client->ear);
        return client->ear.dialogue.broken ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
    }
    return CURL_PREREQFUNC_ABORT;
}

// The message, then "there is no more", which is the gate: the dot is what libcurl writes next
// (smtp.c, smtp_done). It must not know the size beforehand: it would count the dots that it
// stuffs, and end the message, unasked, at the size (transfer.c, readwrite_upload).
static size_t give_body(char *to, size_t unit, size_t count, void *argument)
{
    struct client *client = argument;
    const struct job *job = client->job;
    size_t room = unit * count, left = job->body_size - client->body_given;
    if (left > 0) {
        size_t size = left < room ? left : room;
        memcpy(to, job->body + client->body_given, size);
        client->body_given += size;
        return size;
    }
    if (client->ear.dialogue.due != 0 || !curl_ear_is_in_step(&client->ear))
        wire_stop(client->wire, STOP_BROKEN);
    if (!wire_pass_dot(client->wire))
        return CURL_READFUNC_ABORT;
    dialogue_enter_dot(&client->ear.dialogue);
    return 0;
}

// Called at least every second, also while there is no socket to shut down (name resolution), and
// where libcurl's own connect limit would take greeting, TLS and AUTH for a part of connecting.
static int on_progress(void *argument, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    struct client *client = argument;
    (void)down_total, (void)down, (void)up_total, (void)up;
    if (wire_stopped(client->wire) != STOP_NONE)
        return 1;
    int limit_ms = client->settings->connect_timeout_ms;
    int64_t now_ms = clock_boot_ms();
    if (client->ear.dialogue.stage != STAGE_CONNECT || !client->fresh ||
        now_ms - client->opened_boot_ms < connect_shim_share(limit_ms))
        return 0;
    // Not by libcurl's time of connecting, which implicit TLS is a part of.
    if (wire_is_connected(client->wire))
        return 0;
    client->gave_up = now_ms - client->begun_boot_ms >= limit_ms;
    if (!client->gave_up)
        wire_hush(client->wire); // that address fails, and libcurl goes on to the next
    return client->gave_up;
}

// Where in the dialogue a connection failed that never came to MAIL.
static void place_failure(struct client *client, CURLcode rc)
{
    struct dialogue *dialogue = &client->ear.dialogue;
    curl_off_t connected_us = 0;
    (void)curl_easy_getinfo(client->curl, CURLINFO_CONNECT_TIME_T, &connected_us);
    dialogue_enter(dialogue, curl_error_stage(rc, dialogue->stage, connected_us > 0,
                                              client->settings->tls == TLS_IMPLICIT));
}

static void judge(struct client *client, CURLcode rc, struct outcome *outcome)
{
    struct dialogue *dialogue = &client->ear.dialogue;
    // What was answered well before the failure is not its answer.
    bool refused = dialogue->answered && dialogue->reply.code >= 400;
    if (rc != CURLE_OK && dialogue->answered && !refused && dialogue->stage != STAGE_DOT)
        dialogue_enter(dialogue, dialogue->stage);
    if (rc != CURLE_OK && !refused && dialogue->stage < STAGE_MAIL && !client->not_allowed)
        place_failure(client, rc);
    struct trace trace = {
        .stage = dialogue->stage,
        .answered = dialogue->answered,
        .reply = dialogue->reply,
        .dot_begun = wire_dot_begun(client->wire),
        .stop = wire_stopped(client->wire),
    };
    if (!trace.answered && trace.stop == STOP_NONE) {
        const char *text = client->error[0] ? client->error : curl_easy_strerror(rc);
        if (client->not_allowed)
            text = client->not_allowed;
        else if (client->gave_up)
            text = "no connection within the limit";
        else if (dialogue->broken)
            text = DIALOGUE_BROKEN_TEXT;
        else if (dialogue->stage == STAGE_AUTH && client->token_fault[0])
            text = client->token_fault;
        reply_set_text(&trace.reply, text, strlen(text));
    }
    outcome_judge(&trace, outcome);
    // Nobody has said anything yet: a port in libcurl's words is no code.
    if (!trace.answered && trace.stop == STOP_NONE && trace.stage == STAGE_CONNECT)
        outcome->is_own_text = true;
    if (trace.stop == STOP_NONE && client->not_allowed && dialogue->stage == STAGE_RCPT)
        outcome->kind = OUTCOME_UNABLE;
    if (dialogue->stage == STAGE_AUTH && (client->not_allowed || rc == CURLE_LOGIN_DENIED))
        outcome->alarm = "auth";
    memcpy(outcome->tls, client->tls, sizeof(outcome->tls));
    outcome->certificate_ends_ms = client->tls[0] ? client->certificate_ends_ms : 0;
    outcome->token = client->token;
}

// A kept connection that had been closed: seen at MAIL, unanswered or answered by a 421 that had
// waited there (most are noticed by libcurl itself, before).
static bool was_stale(struct client *client, CURLcode rc)
{
    const struct dialogue *dialogue = &client->ear.dialogue;
    return rc != CURLE_OK && !client->fresh && wire_stopped(client->wire) == STOP_NONE &&
           dialogue->stage == STAGE_MAIL && (!dialogue->answered || dialogue->reply.code == 421);
}

static bool has_old_token(struct client *client, CURLcode rc)
{
    const char *path = client->settings->token_file;
    if (!path || rc == CURLE_OK || wire_stopped(client->wire) != STOP_NONE)
        return false;
    bool was_refused = client->fresh && client->ear.dialogue.stage == STAGE_AUTH;
    return client->token_is_old || (was_refused && token_has_changed(&client->token_file, path));
}

// A kept connection has its AUTH behind it, and for another token libcurl would open a second one
// beside it. So the file is looked at when there is none.
static bool renew_token(struct client *client, struct error *err)
{
    const char *path = client->settings->token_file;
    if (!path || wire_is_open(client->wire) || !token_has_changed(&client->token_file, path))
        return true;
    char *token = token_read(&client->token_file, path, err);
    if (!token)
        return false;
    wipe_free(client->token);
    client->token = token;
    return curl_easy_setopt(client->curl, CURLOPT_XOAUTH2_BEARER, token) == CURLE_OK ||
           error_set(err, ERR_TEMPORARY, "no memory");
}

// False: there is no token to open a connection with.
static bool perform(struct client *client, CURLcode *ret_rc, struct error *err)
{
    if (!renew_token(client, err))
        return false;
    client->body_given = 0;
    client->fresh = client->token_is_old = client->gave_up = false;
    client->not_allowed = NULL;
    client->error[0] = '\0';
    client->begun_boot_ms = clock_boot_ms();
    (void)curl_easy_setopt(client->curl, CURLOPT_FORBID_REUSE, (long)is_last(client));
    *ret_rc = curl_easy_perform(client->curl);
    client->message_count += wire_is_open(client->wire);
    return true;
}

static void deliver(struct client *client, const struct job *job, struct outcome *outcome)
{
    struct curl_slist *recipients = curl_slist_append(NULL, job->recipient);
    if (!recipients || curl_easy_setopt(client->curl, CURLOPT_MAIL_FROM, job->sender) != CURLE_OK ||
        curl_easy_setopt(client->curl, CURLOPT_MAIL_RCPT, recipients) != CURLE_OK) {
        outcome_set(outcome, OUTCOME_SESSION, STAGE_CONNECT, "no memory");
    } else {
        struct error err;
        CURLcode rc = CURLE_OK;
        client->job = job;
        bool ok = perform(client, &rc, &err);
        if (ok && (was_stale(client, rc) || has_old_token(client, rc)))
            ok = perform(client, &rc, &err);
        if (ok) {
            judge(client, rc, outcome);
        } else {
            outcome_set(outcome, OUTCOME_SESSION, STAGE_AUTH, err.message);
            outcome->alarm = "auth";
        }
        client->job = NULL;
    }
    curl_slist_free_all(recipients);
    (void)curl_easy_setopt(client->curl, CURLOPT_MAIL_RCPT, NULL);
}

static void run(void *opaque, struct job *job, struct job_source *source)
{
    struct client *client = opaque;
    while (job) {
        struct outcome outcome = {0};
        deliver(client, job, &outcome);
        source->done(source, job, &outcome);
        job = wire_is_open(client->wire) ? source->next(source) : NULL;
    }
}

static CURLcode set_callbacks(struct client *client)
{
    CURL *curl = client->curl;
    CURLcode rc = CURLE_OK;
#define SET(option, value) (rc = rc != CURLE_OK ? rc : curl_easy_setopt(curl, option, value))
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_OPENSOCKETDATA, client);
    SET(CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    SET(CURLOPT_CLOSESOCKETDATA, client);
    SET(CURLOPT_VERBOSE, 1L); // else the debug callback is not called; it prints nothing
    SET(CURLOPT_DEBUGFUNCTION, on_debug);
    SET(CURLOPT_DEBUGDATA, client);
    SET(CURLOPT_HEADERFUNCTION, on_reply_line);
    SET(CURLOPT_HEADERDATA, client);
    SET(CURLOPT_WRITEFUNCTION, discard); // the default is standard output: the core's log
    SET(CURLOPT_PREREQFUNCTION, before_mail);
    SET(CURLOPT_PREREQDATA, client);
    SET(CURLOPT_READFUNCTION, give_body);
    SET(CURLOPT_READDATA, client);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, client);
    SET(CURLOPT_ERRORBUFFER, client->error);
#undef SET
    return rc;
}

static void destroy(void *opaque)
{
    struct client *client = opaque;
    if (!client)
        return;
    wire_hush(client->wire); // libcurl says QUIT and would wait for the answer
    curl_easy_cleanup(client->curl);
    curl_slist_free_all(client->connect_to);
    wipe_free(client->token);
    free(client);
}

static void *create(const struct settings *settings, struct wire *wire, struct error *err)
{
    struct client *client = calloc(1, sizeof(*client));
    if (!client) {
        error_set(err, ERR_TEMPORARY, "no memory");
        return NULL;
    }
    client->settings = settings;
    client->wire = wire;
    client->curl = curl_easy_init();
    client->ear = (struct curl_ear){.curl = client->curl, .wire = wire};
    CURLcode rc = client->curl ? set_callbacks(client) : CURLE_OUT_OF_MEMORY;
    if (rc == CURLE_OK)
        rc = curl_options_set(client->curl, settings, &client->connect_to);
    if (rc != CURLE_OK) {
        error_set(err, ERR_TEMPORARY, "libcurl: %s", curl_easy_strerror(rc));
        destroy(client);
        return NULL;
    }
    return client;
}

static bool setup(const struct settings *settings, struct error *err)
{
    (void)settings;
    CURLcode rc = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (rc != CURLE_OK)
        return error_set(err, ERR_TEMPORARY, "libcurl: %s", curl_easy_strerror(rc));
    return true;
}

const struct smtp_driver smtp_curl = {
    .setup = setup, .create = create, .destroy = destroy, .run = run};
