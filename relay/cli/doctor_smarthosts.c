// Each smarthost, by the program that delivers: what it says is what a mail would meet.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/buffer.h"
#include "relay/base/clock.h"
#include "relay/base/dots.h"
#include "relay/children/child_session.h"
#include "relay/children/deliverer_process.h"
#include "relay/cli/doctor.h"
#include "relay/member_text.h"

// The deliverer itself ends a probe within 25 s.
enum { INIT_LIMIT_MS = 10000, PROBE_LIMIT_MS = 40000, TEXT_MAX = 2048, SENDER_SIZE = 256 };
enum { DAYS_LEFT_MIN = 14, SIZE_MIN = 1024 * 1024 };
#define DAY_MS INT64_C(86400000)

struct look {
    struct doctor *doctor;
    const struct smarthost *smarthost;
    char subject[SMARTHOST_NAME_SIZE + 16];
};

static void fail(const struct look *look, const char *what)
{
    static const struct advice broken = {"no mail can be handed over by it",
                                         "look whether the programs belong to one installation"};
    findings_tell(&look->doctor->findings, SEVERITY_ERROR, look->subject, &broken,
                  "the deliverer: %s", what);
}

// Starts it, by its first frame.
static bool begin(const struct look *look, struct child_session *session, struct error *err)
{
    json_auto_t *init = deliverer_init_header(look->doctor->config, look->smarthost);
    json_auto_t *ready = NULL;
    struct frame frame;
    if (!init)
        return error_set(err, ERR_INPUT, "a setting is no UTF-8, or there is no memory");
    if (!child_session_ask(session, init, NULL, 0, INIT_LIMIT_MS, &ready, &frame, err))
        return false;
    if (strcmp(member_text_or(ready, "op", ""), "ready") == 0)
        return true;
    const json_t *first = json_array_get(json_object_get(ready, "faults"), 0);
    return error_set(err, ERR_INPUT, "%s",
                     member_text_or(first, "what", "is not ready, and does not say why"));
}

// The address in "Acme <no-reply@acme.example>", for MAIL; empty where it cannot be told from here.
static void find_sender(const struct config *config, char *ret_sender, size_t size)
{
    const char *from = config->mail_from, *open = strrchr(from, '<');
    const char *start = open ? open + 1 : from;
    snprintf(ret_sender, size, "%.*s", (int)strcspn(start, ">"), start);
    if (!strchr(ret_sender, '@'))
        *ret_sender = '\0';
}

// NULL: it has been told why.
static json_t *ask_deliverer(const struct look *look, struct child_session *session)
{
    char sender[SENDER_SIZE];
    find_sender(look->doctor->config, sender, sizeof(sender));
    json_auto_t *request = json_pack("{s:s, s:s}", "op", "probe", "sender", sender);
    json_t *probed = NULL;
    struct frame frame;
    struct error err = {0};
    if (begin(look, session, &err) &&
        child_session_ask(session, request, NULL, 0, PROBE_LIMIT_MS, &probed, &frame, &err))
        return probed;
    fail(look, err.message);
    return NULL;
}

static json_t *probe(const struct look *look)
{
    struct error err = {0};
    struct child_session *session = NULL;
    struct dots *dots = dots_create_unnamed(&err);
    int mark_fd = dots ? dots_share(dots, &err) : -1;
    if (mark_fd >= 0)
        session = child_session_create("deliverer", look->doctor->config->deliverer_path,
                                       PROCESS_HEAP_SMALL, &mark_fd, 1, &err);
    if (!session)
        fail(look, err.message);
    json_t *probed = session ? ask_deliverer(look, session) : NULL;
    child_session_destroy(session);
    if (mark_fd >= 0)
        close(mark_fd);
    dots_close(dots);
    return probed;
}

// ---- where it ended -----------------------------------------------------------------------------

static const struct {
    const char *stage, *what;
    struct advice advice;
} ends[] = {
    {"resolve",
     "its name is not found",
     {"no mail goes there: it takes the next smarthost, or waits",
      "look for a slip in RELAY_SMTP_URI, and whether this machine's DNS answers: getent hosts "
      "NAME"}},
    {"connect",
     "no connection",
     {"no mail goes there: it takes the next smarthost, or waits",
      "look at address and port, at firewalls on the way out (many providers close port 25; 587 is "
      "meant for this), and whether the server runs"}},
    {"greeting",
     "it does not take us in",
     {"no mail goes there: it takes the next smarthost, or waits",
      "port 465 wants smtps://, 587 and 25 smtp://; else its administrator has to allow this "
      "machine's address"}},
    {"ehlo",
     "it does not take our EHLO",
     {"no mail goes there: it takes the next smarthost, or waits",
      "see what name RELAY_SMTP_HELO gives: some want one that DNS knows"}},
    {"starttls",
     "no trusted TLS",
     {"no mail and no password goes over a connection that is not what it was set to be",
      "mend what is said of its certificate below, if anything is; it has to say the host's name "
      "(or "
      "?server_name=). A server without TLS wants ?disable_starttls=true, and then codes travel in "
      "the clear"}},
    {"auth",
     "it does not let us log in",
     {"no mail goes there: it takes the next smarthost, or waits",
      "mend user and password in RELAY_SMTP_URI (percent-encoded), the token's file, or ?auth="}},
    {"mail",
     "it does not take mail of our sender",
     {"it refuses every mail so",
      "if it asks for a login, name user and password in RELAY_SMTP_URI "
      "(smtp://USER:PASSWORD@HOST, "
      "percent-encoded); else RELAY_MAIL_FROM has to be a sender that it allows this user or this "
      "machine"}},
};

// libcurl's word for a first answer that is none of TLS, as a server's greeting in the clear is.
static const struct advice in_the_clear = {
    "no mail and no password goes over a connection that is not what it was set to be",
    "this port does not begin with TLS: write smtp:// in place of smtps:// (587 and 25 want "
    "smtp://, "
    "465 wants smtps://)"};

static void tell_end(const struct look *look, const json_t *probed)
{
    const char *stage = member_text_or(probed, "stage", "connect");
    const char *code = member_text_or(probed, "enhanced_code", "");
    const char *text = member_text_or(probed, "reply_text", "it does not say why");
    json_int_t reply_code = json_integer_value(json_object_get(probed, "reply_code"));
    size_t end = 0;
    while (end + 1 < sizeof(ends) / sizeof(ends[0]) && strcmp(ends[end].stage, stage) != 0)
        end++;
    char number[24] = "";
    if (reply_code > 0)
        snprintf(number, sizeof(number), "%lld ", (long long)reply_code);
    bool is_clear = reply_code == 0 && strcasestr(text, "wrong version number");
    findings_tell(&look->doctor->findings, SEVERITY_ERROR, look->subject,
                  is_clear ? &in_the_clear : &ends[end].advice, "%s: %s%s%s%s", ends[end].what,
                  number, code, *code ? " " : "", text);
}

// ---- what is good to know -----------------------------------------------------------------------

static void tell_certificate(const struct look *look, const json_t *certificate, bool is_own)
{
    static const struct advice ends_soon = {
        "when it has ended no mail goes there: it takes the next smarthost, or waits",
        "whoever runs the server has to renew it"};
    static const struct advice unchecked = {
        "it is not checked (skip_ssl_verify), so anybody on the way may stand in for the server",
        "have one that can be checked; ?ca_file= names an authority of your own"};
    static const struct advice faulty = {
        "for this TLS ends before any mail",
        "it must be in date and of an authority that is known; ?ca_file= names one of your own"};
    const char *subject = member_text_or(certificate, "subject", "?");
    const char *fault = member_text(certificate, "fault");
    json_int_t end_ms = json_integer_value(json_object_get(certificate, "not_after_ms"));
    int64_t days = (end_ms - clock_wall_ms()) / DAY_MS;
    char end[CLOCK_RFC3339_SIZE];
    clock_rfc3339(end_ms, end);
    if (fault && look->smarthost->verify)
        findings_tell(&look->doctor->findings, SEVERITY_ERROR, look->subject, &faulty,
                      "certificate %s: %s (good until %s)", subject, fault, end);
    else if (end_ms < clock_wall_ms())
        findings_tell(&look->doctor->findings, SEVERITY_WARNING, look->subject, &unchecked,
                      "certificate %s: has ended, at %s", subject, end);
    else if (days < DAYS_LEFT_MIN)
        findings_tell(&look->doctor->findings, SEVERITY_WARNING, look->subject, &ends_soon,
                      "certificate %s: ends in %lld days (%s)", subject, (long long)days, end);
    else if (fault)
        findings_tell(&look->doctor->findings, SEVERITY_WARNING, look->subject, &unchecked,
                      "certificate %s: %s (good until %s)", subject, fault, end);
    else if (is_own)
        findings_tell(&look->doctor->findings, SEVERITY_FINE, look->subject, NULL,
                      "certificate %s: good for %lld days (until %s)", subject, (long long)days,
                      end);
}

static void tell_certificates(const struct look *look, const json_t *probed)
{
    size_t index;
    json_t *certificate;
    json_array_foreach(json_object_get(probed, "certificates"), index, certificate)
        tell_certificate(look, certificate, index == 0);
}

static void tell_size(const struct look *look, const char *offer)
{
    static const struct advice small = {
        "a mail that is larger is refused for good; with pictures in its frame one may be",
        "have the server's limit raised (Postfix: message_size_limit)"};
    long long size = strtoll(offer + strlen("SIZE"), NULL, 10);
    if (size > 0 && size < SIZE_MIN)
        findings_tell(&look->doctor->findings, SEVERITY_WARNING, look->subject, &small,
                      "it takes mails of at most %lld bytes", size);
}

static bool is_local(const char *address)
{
    return address && (strncmp(address, "127.", 4) == 0 || strncmp(address, "[::1]", 5) == 0);
}

static void tell_passed(const struct look *look, const json_t *probed)
{
    static const struct advice clear = {
        "who sits between the two reads the mails, with the codes and links in them",
        "take ?disable_starttls=true away if the server has STARTTLS, or give it a certificate"};
    AUTO_BUFFER struct buffer offers;
    buffer_init(&offers, TEXT_MAX);
    size_t index;
    json_t *offer;
    json_array_foreach(json_object_get(probed, "offers"), index, offer)
    {
        const char *text = json_string_value(offer);
        buffer_printf(&offers, "%s%s", index ? ", " : "", text ? text : "?");
        if (text && strncmp(text, "SIZE ", 5) == 0)
            tell_size(look, text);
    }
    const char *address = member_text(probed, "address"), *tls = member_text(probed, "tls");
    if (!tls && !is_local(address))
        findings_tell(&look->doctor->findings, SEVERITY_WARNING, look->subject, &clear,
                      "mails go to %s in the clear", address ? address : "it");
    findings_tell(&look->doctor->findings, SEVERITY_FINE, look->subject, NULL,
                  "%s takes mail (%s%s); offers %s", address ? address : "it",
                  tls ? tls : "in the clear",
                  json_is_true(json_object_get(probed, "authenticated")) ? ", logged in" : "",
                  offers.size > 0 ? offers.data : "nothing");
}

static void look_at_one(struct look *look)
{
    static const struct advice development = {
        "nobody gets a mail: each is written as a file, for development",
        "set RELAY_SMTP_URI to a mail server where people are to get them"};
    snprintf(look->subject, sizeof(look->subject), "smarthost %s", look->smarthost->name);
    if (look->smarthost->dir) {
        findings_tell(&look->doctor->findings, SEVERITY_WARNING, look->subject, &development,
                      "mails go into the folder %s", look->smarthost->dir);
        return;
    }
    json_auto_t *probed = probe(look);
    if (!probed)
        return;
    if (json_is_true(json_object_get(probed, "passed")))
        tell_passed(look, probed);
    else
        tell_end(look, probed);
    tell_certificates(look, probed);
}

void doctor_look_at_smarthosts(struct doctor *doctor)
{
    for (size_t i = 0; i < doctor->config->smarthost_count; i++) {
        struct look look = {.doctor = doctor, .smarthost = &doctor->config->smarthosts[i]};
        look_at_one(&look);
    }
}
