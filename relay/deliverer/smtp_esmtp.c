// libesmtp as a driver: plain smarthosts without AUTH, for its pipelining.
//
// What it does not do well is kept from it: TLS and AUTH go to libcurl; its sockets get their
// options and limits from connect_shim.c; all its own time limits are set beyond ours, since
// it goes on with a hole in the message after a write that timed out (siobuf.c, raw_write); and
// its return code says nothing (it is 1 after a dropped connection): what counts is its events, and
// the replies as we hear them; it sees what amend.c has made of those. Sources named here are
// libesmtp 1.1.0's.
#include <stddef.h>

#include <libesmtp.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/base/cleanup.h"
#include "relay/deliverer/amend.h"
#include "relay/deliverer/connect_shim.h"
#include "relay/deliverer/dialogue.h"
#include "relay/deliverer/smtp_driver.h"
#include "relay/deliverer/write_shim.h"

// libesmtp keeps 3 kB of each message until its session ends, and a session cannot be continued.
enum { MESSAGES_PER_SESSION_MAX = 25 };

struct client {
    const struct settings *settings;
    struct wire *wire;
    struct job_source *source;

    // The message under way.
    struct job *job; // NULL: none
    smtp_message_t message;
    smtp_recipient_t recipient;
    bool body_given; // to the library
    bool early;      // an answer came before the dot can have arrived
    bool refused;    // at RCPT: that reply counts, whatever DATA brings

    // The session, which is one connection.
    struct dialogue dialogue;
    struct amend amend;
    struct write_shim write_shim;
    int message_count;
    bool too_big; // for this smarthost: job, the first message
    bool over;    // the library was given the last message
    bool carried; // job was taken while over this connection, but not begun on it
};

static void judge(struct client *client, struct outcome *outcome)
{
    struct trace trace = {
        .stage = client->dialogue.stage,
        .answered = client->dialogue.answered,
        .reply = client->dialogue.reply,
        .dot_begun = wire_dot_begun(client->wire),
        .size_declared = client->dialogue.offers_size,
        .stop = wire_stopped(client->wire),
    };
    if (!trace.answered && trace.stage == STAGE_CONNECT && trace.stop == STOP_NONE) {
        char text[128];
        const char *cause = smtp_strerror(smtp_errno(), text, sizeof(text));
        reply_set_text(&trace.reply, cause ? cause : "", cause ? strlen(cause) : 0);
    }
    if (client->dialogue.broken && !trace.answered)
        reply_set_text(&trace.reply, DIALOGUE_BROKEN_TEXT, strlen(DIALOGUE_BROKEN_TEXT));
    outcome_judge(&trace, outcome);
}

static void report(struct client *client)
{
    struct outcome outcome = {0};
    judge(client, &outcome);
    if (outcome.kind != OUTCOME_UNKNOWN && outcome.reply.code != 0)
        wire_verdict(client->wire, outcome.reply.code);
    struct job *job = client->job;
    client->job = NULL;
    client->source->done(client->source, job, &outcome);
}

static void report_own(struct client *client, enum outcome_kind kind, enum stage stage,
                       const char *text)
{
    struct outcome outcome = {0};
    outcome_set(&outcome, kind, stage, text);
    struct job *job = client->job;
    client->job = NULL;
    client->source->done(client->source, job, &outcome);
}

static void report_too_big(struct client *client)
{
    report_own(client, OUTCOME_UNABLE, STAGE_RCPT, DIALOGUE_TOO_BIG_TEXT);
}

enum { MAIL_REPLY, RCPT_REPLY, DATA_REPLY, DOT_REPLY }; // of one message, in their order

// The reply as we have heard it, or NULL where that is not what the library made of it. It takes
// "2500", a line with a NUL, and what was there of a line when the connection ended, for the code
// that they begin with.
static const struct reply *heard(const struct client *client, int which,
                                 const smtp_status_t *status)
{
    const struct dialogue *dialogue = &client->dialogue;
    const struct reply *reply = &dialogue->answers[which];
    return dialogue->replies > which && reply->code == status->code ? reply : NULL;
}

static void note_answer(struct client *client, enum stage stage, const struct reply *reply)
{
    dialogue_enter(&client->dialogue, stage);
    client->dialogue.answered = true;
    client->dialogue.reply = *reply;
}

// The library asks for the message: first with length NULL (from the start), then for its bytes,
// then for more. "There is no more" is the gate: the dot is what it writes next. errno decides:
// where it is not 0 the library drops the connection instead (protocol.c, cmd_data2).
static const char *give_body(void **context, int *length, void *argument)
{
    struct client *client = argument;
    (void)context;
    if (!length) {
        client->body_given = false;
        return NULL;
    }
    if (!client->body_given) {
        client->body_given = true;
        if (!client->dialogue.broken)
            dialogue_enter(&client->dialogue, STAGE_BODY);
        *length = (int)client->job->body_size;
        errno = 0;
        return client->job->body;
    }
    *length = 0;
    if (client->dialogue.due != 0)
        wire_stop(client->wire, STOP_BROKEN); // the library has read replies that are none
    bool pass = wire_pass_dot(client->wire);
    if (pass)
        dialogue_enter_dot(&client->dialogue);
    errno = pass ? 0 : ECANCELED;
    return NULL;
}

// Adds client->job to the session. False without memory.
static bool add_message(struct client *client, smtp_session_t session)
{
    const struct job *job = client->job;
    client->body_given = client->early = client->refused = false;
    client->message_count++;
    client->message = smtp_add_message(session);
    if (!client->message || !smtp_set_reverse_path(client->message, job->sender) ||
        !smtp_set_messagecb(client->message, give_body, client) ||
        !smtp_size_set_estimate(client->message, job->body_size))
        return false;
    client->recipient = smtp_add_recipient(client->message, job->recipient);
    return client->recipient != NULL;
}

// No more messages over this connection. What the library still does is QUIT.
static void end_session(struct client *client)
{
    client->over = true;
    write_shim_end();
    wire_hush(client->wire);
}

static bool is_used_up(const struct client *client)
{
    return client->message_count >= MESSAGES_PER_SESSION_MAX ||
           client->message_count >= client->settings->messages_per_connection;
}

// The message has had its answer. The next one goes over the same connection, if there may be one.
static void go_on(struct client *client, smtp_session_t session, bool leaving)
{
    report(client);
    if (leaving || is_used_up(client)) {
        end_session(client);
        return;
    }
    client->job = client->source->next(client->source);
    while (client->job && dialogue_is_too_big(&client->dialogue, client->job->body_size)) {
        report_too_big(client);
        client->job = client->source->next(client->source);
    }
    if (!client->job || client->job->smtputf8 || !wire_is_quiet(client->wire) ||
        !add_message(client, session)) {
        client->carried = client->job != NULL;
        end_session(client);
        return;
    }
    dialogue_enter(&client->dialogue, STAGE_MAIL);
}

static void on_mail_status(struct client *client)
{
    const struct reply *reply =
        heard(client, MAIL_REPLY, smtp_reverse_path_status(client->message));
    if (!reply || client->dialogue.broken) // MAIL goes alone, and so does its reply
        return;
    if (reply->code / 100 == 2) {
        wire_take_mail(client->wire);
        // Not sooner: until then it is in lock step, and what comes unasked is to be seen.
        if (client->message_count == 1)
            write_shim_begin(&client->write_shim, client->wire);
        dialogue_enter(&client->dialogue, STAGE_RCPT);
        return;
    }
    note_answer(client, STAGE_MAIL, reply);
    end_session(client);
}

static void on_recipient_status(struct client *client)
{
    const struct reply *reply = heard(client, RCPT_REPLY, smtp_recipient_status(client->recipient));
    if (!reply)
        return;
    client->refused = reply->code / 100 != 2;
    if (client->refused)
        note_answer(client, STAGE_RCPT, reply); // DATA may be under way
    else
        dialogue_enter(&client->dialogue, STAGE_DATA);
}

// A message has had its answer: to the dot, or to a DATA that was refused.
static void on_message_sent(struct client *client, smtp_session_t session)
{
    bool at_dot = client->body_given;
    const struct reply *reply = heard(client, at_dot ? DOT_REPLY : DATA_REPLY,
                                      smtp_message_transfer_status(client->message));
    if (client->early || (at_dot && client->dialogue.broken)) // which of them would it be?
        reply = NULL;
    // "Complete" is the library's own word that a 2xx was the answer to the end of the message.
    bool settled =
        reply && (reply->code >= 400 || (at_dot && outcome_is_verdict(reply->code) &&
                                         smtp_recipient_check_complete(client->recipient)));
    if (!client->refused && settled)
        note_answer(client, at_dot ? STAGE_DOT : STAGE_DATA, reply);
    // After a refusal of DATA the library has already decided to leave; with 421 the smarthost has.
    bool leaving = client->dialogue.leaving || (settled && reply->code == 421);
    go_on(client, session, !at_dot || !settled || leaving);
}

static void on_event(smtp_session_t session, int event, void *argument, ...)
{
    struct client *client = argument;
    if (event == SMTP_EV_CONNECT) {
        dialogue_open(&client->dialogue);
        dialogue_enter(&client->dialogue, STAGE_GREETING);
        amend_init(&client->amend);
    } else if (event == SMTP_EV_DISCONNECT) {
        write_shim_end();
        wire_closed(client->wire, -1);
    } else if (client->over || !client->job) {
        return;
    } else if (event == SMTP_EV_MAILSTATUS) {
        on_mail_status(client);
    } else if (event == SMTP_EV_RCPTSTATUS) {
        on_recipient_status(client);
    } else if (event == SMTP_EV_MESSAGESENT) {
        on_message_sent(client, session);
    }
}

// The library's own buffer, which it takes its lines from after this (siobuf.c, sio_fill).
static char *buffer_of(const char *data)
{
    char *buffer;
    memcpy(&buffer, &data, sizeof(buffer));
    return buffer;
}

static void hear(struct client *client, const char *data, size_t size)
{
    struct dialogue *dialogue = &client->dialogue;
    client->early |= dialogue->stage == STAGE_DOT && !wire_is_acknowledged(client->wire);
    if (!dialogue_heard(dialogue, data, size))
        wire_stop(client->wire, STOP_BROKEN);
    client->too_big = client->job && dialogue->stage == STAGE_EHLO && dialogue->answered &&
                      dialogue_is_too_big(dialogue, client->job->body_size);
    if (client->too_big)
        wire_stop(client->wire, STOP_BROKEN); // MAIL is what would be written next
}

static void on_reading(struct client *client, const char *data, size_t size)
{
    if (!client->over) // else it is read for QUIT, and client->job may be the next connection's
        hear(client, data, size);
    amend_replies(&client->amend, !client->dialogue.pipelined, buffer_of(data), size);
}

// Up to MAIL libesmtp tells nothing of the replies, and talks in lock step. From MAIL on it tells
// how it understood them, after this, and pipelines.
static void on_traffic(const char *data, int size, int direction, void *argument)
{
    struct client *client = argument;
    struct dialogue *dialogue = &client->dialogue;
    if (size <= 0)
        return;
    dialogue->pipelined = dialogue->stage >= STAGE_MAIL;
    if (direction == SMTP_CB_READING)
        on_reading(client, data, (size_t)size);
    else if (dialogue->pipelined || (!dialogue->broken && dialogue->line_size == 0))
        dialogue_sent(dialogue, data, (size_t)size);
}

// All limits beyond ours, which the pool enforces by ending the transaction.
static bool set_timeouts(smtp_session_t session, int timeout_ms)
{
    static const int which[] = {Timeout_GREETING, Timeout_ENVELOPE, Timeout_DATA, Timeout_TRANSFER,
                                Timeout_DATA2};
    long beyond_ms = 2L * timeout_ms + 10000;
    for (size_t i = 0; i < sizeof(which) / sizeof(which[0]); i++) {
        if (!smtp_set_timeout(session, which[i] | Timeout_OVERRIDE_RFC2822_MINIMUM, beyond_ms))
            return false;
    }
    return true;
}

static smtp_session_t make_session(struct client *client)
{
    char server[300];
    snprintf(server, sizeof(server), "%s:%d", client->settings->host, client->settings->port);
    smtp_session_t session = smtp_create_session();
    if (!session)
        return NULL;
    if (smtp_set_server(session, server) && smtp_set_hostname(session, client->settings->helo) &&
        smtp_set_eventcb(session, on_event, client) &&
        smtp_set_monitorcb(session, on_traffic, client, 0) &&
        set_timeouts(session, client->settings->timeout_ms))
        return session;
    smtp_destroy_session(session);
    return NULL;
}

// One connection, beginning with client->job. A job that is there afterwards is unreported.
static void run_session(struct client *client)
{
    client->message_count = 0;
    client->over = client->carried = client->too_big = false;
    dialogue_open(&client->dialogue);
    amend_init(&client->amend);
    smtp_session_t session = make_session(client);
    if (session && add_message(client, session))
        (void)smtp_start_session(session);
    else
        report_own(client, OUTCOME_SESSION, STAGE_CONNECT, "no memory");
    if (session)
        smtp_destroy_session(session);
    wire_closed(client->wire, -1);
}

// Whether client->job has its fresh connection still before it: it was never begun on the last
// one, or that one was closed while it was kept, which shows as an end before MAIL was answered or
// as a 421 that had waited there.
static bool deserves_another(struct client *client)
{
    const struct dialogue *dialogue = &client->dialogue;
    if (wire_stopped(client->wire) != STOP_NONE)
        return false;
    return client->carried || (client->message_count > 1 && dialogue->stage == STAGE_MAIL &&
                               (!dialogue->answered || dialogue->reply.code == 421));
}

// A source of no more than the job that is under way.
struct single_source {
    struct job_source source; // first member
    struct job_source *outer;
};

static struct job *single_next(struct job_source *source)
{
    (void)source;
    return NULL;
}

static void single_done(struct job_source *source, struct job *job, struct outcome *outcome)
{
    struct job_source *outer = ((struct single_source *)source)->outer;
    outer->done(outer, job, outcome);
}

// libesmtp has no SMTPUTF8. Such recipients are few, so a connection for each will do.
static void run_by_curl(struct client *client)
{
    struct error err;
    void *curl = smtp_curl.create(client->settings, client->wire, &err);
    if (!curl) {
        report_own(client, OUTCOME_SESSION, STAGE_CONNECT, err.message);
        return;
    }
    struct single_source single = {.source = {.next = single_next, .done = single_done},
                                   .outer = client->source};
    struct job *job = client->job;
    client->job = NULL;
    smtp_curl.run(curl, job, &single.source);
    smtp_curl.destroy(curl);
}

static void run_by_esmtp(struct client *client)
{
    connect_shim_use(client->wire, client->settings->connect_timeout_ms);
    run_session(client);
    connect_shim_use(NULL, 0);
    if (client->job && client->too_big)
        report_too_big(client);
    else if (client->job && !deserves_another(client))
        report(client);
}

static void run(void *opaque, struct job *job, struct job_source *source)
{
    struct client *client = opaque;
    client->job = job;
    client->source = source;
    while (client->job) {
        if (client->job->smtputf8)
            run_by_curl(client);
        else
            run_by_esmtp(client);
    }
}

// libesmtp fills a table at the first EHLO it reads, without a lock (tokens.c). So it reads one
// before there are threads: of this, which stands in for a smarthost.
static bool rehearse(smtp_session_t session, int stand_in)
{
    smtp_message_t message = smtp_add_message(session);
    if (!smtp_set_server(session, "127.0.0.1:25") || !smtp_set_hostname(session, "localhost") ||
        !message || !smtp_set_messagecb(message, give_body, NULL) ||
        !smtp_add_recipient(message, "nobody@localhost"))
        return false;
    connect_shim_divert(stand_in);
    return smtp_start_session(session) == 1;
}

static bool setup(const struct settings *settings, struct error *err)
{
    if (!smtp_curl.setup(settings, err))
        return false;
    static const char replies[] = "220 ok\r\n250-ok\r\n250 SIZE\r\n550 enough\r\n221 bye\r\n";
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(err, ERR_IO, "socketpair");
    AUTO_CLOSE int ours = pair[0];
    AUTO_CLOSE int theirs = pair[1];
    if (write(ours, replies, sizeof(replies) - 1) != (ssize_t)(sizeof(replies) - 1))
        return error_errno(err, ERR_IO, "socketpair");
    smtp_session_t session = smtp_create_session();
    bool ok = session && rehearse(session, theirs);
    if (session)
        smtp_destroy_session(session);
    return ok || error_set(err, ERR_TEMPORARY, "libesmtp does not start");
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
    return client;
}

static void destroy(void *client)
{
    free(client);
}

const struct smtp_driver smtp_esmtp = {
    .setup = setup, .create = create, .destroy = destroy, .run = run};
