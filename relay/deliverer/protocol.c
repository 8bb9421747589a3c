#include "relay/deliverer/protocol.h"

#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const char *string_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

// Copies a string; an absent one and null stay NULL. False without memory.
static bool copy_string(const json_t *object, const char *key, char **ret_copy)
{
    const char *text = string_of(object, key);
    *ret_copy = text ? strdup(text) : NULL;
    return !text || *ret_copy;
}

static int int_of(const json_t *object, const char *key, int otherwise)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value))
        return otherwise;
    json_int_t integer = json_integer_value(value);
    return integer < 0 || integer > INT_MAX ? -1 : (int)integer;
}

// The index of a name in a list that ends with NULL, or -1.
static int index_of(const char *name, const char *const *names)
{
    for (int i = 0; name && names[i]; i++) {
        if (strcmp(name, names[i]) == 0)
            return i;
    }
    return -1;
}

// jansson's copy of the password goes back to the heap: it is wiped first.
static void wipe_password(json_t *header)
{
    json_t *password = json_object_get(header, "password");
    const char *text = json_string_value(password);
    if (!text)
        return;
    void *writable; // it is jansson's own heap, const only towards its users
    memcpy(&writable, &text, sizeof(writable));
    explicit_bzero(writable, json_string_length(password));
}

static bool parse_init(json_t *header, struct settings *ret_settings, struct error *err)
{
    static const char *const drivers[] = {"esmtp", "curl", "file", NULL};
    static const char *const modes[] = {"none", "starttls", "implicit", NULL};
    static const char *const mechanisms[] = {"plain", "login", "xoauth2", "oauthbearer", NULL};
    int driver = index_of(string_of(header, "driver"), drivers);
    int mode = index_of(string_of(header, "tls"), modes);
    const char *auth = string_of(header, "auth");
    int mechanism = index_of(auth, mechanisms);
    if (driver < 0)
        return error_set(err, ERR_INPUT, "init: unknown driver");
    // Whatever is not exactly "none" is not sent in the clear.
    if (mode < 0 && driver != DRIVER_FILE)
        return error_set(err, ERR_INPUT, "init: unknown tls");
    if (auth && mechanism < 0)
        return error_set(err, ERR_INPUT, "init: unknown auth");
    struct settings settings = {
        .driver = (enum driver_kind)driver,
        .tls = mode < 0 ? TLS_NONE : (enum tls_mode)mode,
        .auth = (enum auth_mechanism)(mechanism + 1), // they follow AUTH_OFFERED in this order
        .verify = !json_is_false(json_object_get(header, "verify")),
        .port = int_of(header, "port", 0),
        .connections = int_of(header, "connections", 1),
        .messages_per_connection = int_of(header, "messages_per_connection", 100),
        .idle_ms = int_of(header, "idle_ms", 30000),
        .connect_timeout_ms = int_of(header, "connect_timeout_ms", 10000),
        .timeout_ms = int_of(header, "timeout_ms", 60000),
    };
    bool copied = copy_string(header, "host", &settings.host) &&
                  copy_string(header, "server_name", &settings.server_name) &&
                  copy_string(header, "ca_file", &settings.ca_file) &&
                  copy_string(header, "token_file", &settings.token_file) &&
                  copy_string(header, "user", &settings.user) &&
                  copy_string(header, "password", &settings.password) &&
                  copy_string(header, "dir", &settings.dir) &&
                  copy_string(header, "helo", &settings.helo);
    wipe_password(header);
    if (!copied) {
        settings_finish(&settings);
        return error_set(err, ERR_TEMPORARY, "init: no memory");
    }
    *ret_settings = settings;
    return true;
}

// Ids become file names with the file driver.
static bool parse_id(const char *id, char ret_id[DOTS_ID_SIZE])
{
    static const char allowed[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-";
    size_t size = id ? strlen(id) : 0;
    if (size == 0 || size >= DOTS_ID_SIZE || strspn(id, allowed) != size)
        return false;
    memcpy(ret_id, id, size + 1);
    return true;
}

static bool parse_deliver(const json_t *header, const struct frame *frame, struct job **ret_job,
                          struct error *err)
{
    const json_t *deadline = json_object_get(header, "deadline_boot_ms");
    int mark = int_of(header, "mark", -1);
    if (frame->blob_count < 1 || frame->blob_count > 2 || mark < 0 || mark >= DOTS_COUNT ||
        !json_is_integer(deadline) || !string_of(header, "sender") ||
        !string_of(header, "recipient"))
        return error_set(err, ERR_INPUT, "deliver: something is missing or out of range");

    struct job *job = calloc(1, sizeof(*job));
    if (!job)
        return error_set(err, ERR_TEMPORARY, "deliver: no memory");
    job->mark = (size_t)mark;
    job->smtputf8 = json_is_true(json_object_get(header, "smtputf8"));
    job->deadline_boot_ms = json_integer_value(deadline);
    job->body_size = frame->blobs[0].size;
    job->body = malloc(job->body_size + 1);
    if (!parse_id(string_of(header, "id"), job->id)) {
        job_destroy(job);
        return error_set(err, ERR_INPUT, "deliver: the id is missing or odd");
    }
    const struct frame_blob *mask = frame->blob_count > 1 ? &frame->blobs[1] : NULL;
    job->mask = mask ? strndup(mask->data, mask->size) : NULL;
    if (!copy_string(header, "sender", &job->sender) ||
        !copy_string(header, "recipient", &job->recipient) || !job->body || (mask && !job->mask)) {
        job->body_size = job->body ? job->body_size : 0;
        job_destroy(job);
        return error_set(err, ERR_TEMPORARY, "deliver: no memory");
    }
    memcpy(job->body, frame->blobs[0].data, job->body_size);
    *ret_job = job;
    return true;
}

static bool parse_cut(const json_t *header, char ret_id[DOTS_ID_SIZE], struct error *err)
{
    ret_id[0] = '\0';
    const char *id = string_of(header, "id");
    if (id && !parse_id(id, ret_id))
        return error_set(err, ERR_INPUT, "cut: the id is odd");
    return true;
}

static bool parse_probe(const json_t *header, char ret_sender[PROBE_SENDER_SIZE], struct error *err)
{
    const char *sender = string_of(header, "sender");
    if (sender && strlen(sender) >= PROBE_SENDER_SIZE)
        return error_set(err, ERR_INPUT, "probe: the sender is too long");
    memcpy(ret_sender, sender ? sender : "", sender ? strlen(sender) + 1 : 1);
    return true;
}

bool protocol_parse(const struct frame *frame, struct request *ret_request, struct error *err)
{
    static const char *const ops[] = {"init", "deliver", "cut", "ping", "probe", NULL};
    json_auto_t *header = json_loadb(frame->header, frame->header_size, 0, NULL);
    if (!header)
        return error_set(err, ERR_INPUT, "a frame's header is not JSON");
    int op = index_of(string_of(header, "op"), ops);
    if (op < 0)
        return error_set(err, ERR_INPUT, "unknown op");
    struct request request = {.kind = (enum request_kind)op};
    bool ok = false;
    switch (request.kind) {
    case REQUEST_INIT:
        ok = parse_init(header, &request.settings, err);
        break;
    case REQUEST_DELIVER:
        ok = parse_deliver(header, frame, &request.job, err);
        break;
    case REQUEST_CUT:
        ok = parse_cut(header, request.cut_id, err);
        break;
    case REQUEST_PROBE:
        ok = parse_probe(header, request.probe_sender, err);
        break;
    case REQUEST_PING:
        ok = true;
        break;
    }
    if (ok)
        *ret_request = request;
    return ok;
}

static bool write_json(int fd, const json_t *header, struct error *err)
{
    char *text = header ? json_dumps(header, JSON_COMPACT) : NULL;
    if (!text)
        return error_set(err, ERR_TEMPORARY, "no memory for an answer");
    struct frame frame = {.header = text, .header_size = strlen(text)};
    bool ok = frame_write(fd, &frame, err);
    free(text);
    return ok;
}

bool protocol_write_ready(int fd, struct error *err)
{
    json_auto_t *header = json_pack("{s:s}", "op", "ready");
    return write_json(fd, header, err);
}

bool protocol_write_fault(int fd, const char *where, const char *what, struct error *err)
{
    json_auto_t *header =
        json_pack("{s:s, s:[{s:s, s:s}]}", "op", "faults", "faults", "where", where, "what", what);
    return write_json(fd, header, err);
}

// Whatever a smarthost or a library has said, this is its only way out.
static void show(const struct settings *settings, const struct job *job,
                 const struct outcome *outcome, struct reply_shown *ret_shown)
{
    const struct mask mask = {.secrets = job->mask,
                              .password = settings->password,
                              .token = outcome->token,
                              .recipient = job->recipient};
    if (outcome->is_own_text)
        reply_print(&outcome->reply, ret_shown);
    else
        reply_clean(&outcome->reply, &mask, ret_shown);
}

static const char *null_if_empty(const char *text)
{
    return text[0] ? text : NULL;
}

bool protocol_write_result(int fd, const struct settings *settings, const struct job *job,
                           const struct outcome *outcome, struct error *err)
{
    struct reply_shown shown = {.text = ""};
    show(settings, job, outcome, &shown);
    json_auto_t *header = json_pack(
        "{s:s, s:s, s:i, s:s, s:s, s:o, s:s?, s:s?, s:s?, s:s?, s:o, s:s?}", "op", "result", "id",
        job->id, "mark", (int)job->mark, "outcome", outcome_kind_name(outcome->kind), "stage",
        outcome_stage_name(outcome->stage), "reply_code",
        outcome->reply.code ? json_integer(outcome->reply.code) : json_null(), "enhanced_code",
        null_if_empty(shown.enhanced), "reply_text", null_if_empty(shown.text), "address",
        null_if_empty(outcome->address), "tls", null_if_empty(outcome->tls), "certificate_ends_ms",
        outcome->certificate_ends_ms ? json_integer(outcome->certificate_ends_ms) : json_null(),
        "alarm", outcome->alarm);
    return write_json(fd, header, err);
}

static json_t *pack_certificates(const struct probe *probe)
{
    json_t *certificates = json_array();
    for (size_t i = 0; i < probe->certificate_count; i++) {
        const struct probe_certificate *at = &probe->certificates[i];
        json_array_append_new(
            certificates,
            json_pack("{s:s, s:s, s:I, s:I, s:s?}", "subject", at->subject, "issuer", at->issuer,
                      "not_before_ms", (json_int_t)at->not_before_ms, "not_after_ms",
                      (json_int_t)at->not_after_ms, "fault", null_if_empty(at->fault)));
    }
    return certificates;
}

bool protocol_write_probed(int fd, const struct settings *settings, const struct probe *probe,
                           struct error *err)
{
    const struct mask mask = {.password = settings->password, .token = probe->token};
    struct reply_shown shown = {.text = ""};
    if (probe->is_own_text)
        reply_print(&probe->reply, &shown);
    else
        reply_clean(&probe->reply, &mask, &shown);
    json_t *offers = json_array();
    for (size_t i = 0; i < probe->offer_count; i++)
        json_array_append_new(offers, json_string(probe->offers[i]));
    json_auto_t *header = json_pack(
        "{s:s, s:b, s:s?, s:o, s:s?, s:s?, s:s?, s:s?, s:s?, s:o, s:b, s:o}", "op", "probed",
        "passed", (int)probe->has_passed, "stage", probe->stage, "reply_code",
        probe->reply.code ? json_integer(probe->reply.code) : json_null(), "enhanced_code",
        null_if_empty(shown.enhanced), "reply_text", null_if_empty(shown.text), "alarm",
        probe->alarm, "address", null_if_empty(probe->address), "tls", null_if_empty(probe->tls),
        "offers", offers, "authenticated", (int)probe->is_authenticated, "certificates",
        pack_certificates(probe));
    return write_json(fd, header, err);
}
