#include "relay/composer/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "jsonnet/normaliser.h"
#include "jsonnet/payload.h"
#include "relay/base/clock.h"
#include "relay/base/frame.h"
#include "relay/base/process.h"
#include "relay/composer/answer.h"
#include "relay/composer/compose.h"
#include "relay/composer/confine.h"
#include "relay/composer/evaluator.h"
#include "relay/composer/reply.h"
#include "relay/composer/route_defaults.h"
#include "relay/composer/route_table.h"

// Less than the core gives a composer to be ready (composer_child.c), so that some is left to tell.
enum { EVALUATION_LIMIT_MS = 8000 };

enum session_state {
    SESSION_COLD,    // nothing composed yet
    SESSION_WARMING, // the sample is in the normaliser's hands
    SESSION_WARM,    // `ready` was sent
    SESSION_OVER,
};

struct session {
    int fd;
    struct frame_reader reader;
    enum session_state state;
    enum session_end end;
    struct error *err;
    struct confinement confinement; // for `ready`
    struct composer *composer;      // NULL before `init`
    struct route_table routes;
    json_t *tables; // what all normalisers are; NULL: Jsonnet is needed

    // The payload that a normaliser has.
    json_t *header;                     // of its request; NULL: the sample
    const struct composer_route *route; // that it came by
    json_t *document;
    int64_t given_us;
};

// What the composer warms itself with before it is ready: every page of code and of catalogs
// that a mail needs is then in memory, and the first person does not wait for it.
static const char SAMPLE[] =
    "{\"recipient\":\"warm@example.com\",\"message_type\":\"email\",\"subject\":\"Code 000000\","
    "\"body\":\"000000\",\"template_type\":\"login_code_valid\",\"request_headers\":{"
    "\"User-Agent\":[\"warm\"],\"Accept-Language\":[\"de-CH,de;q=0.9,en;q=0.5\"]},"
    "\"template_data\":{\"to\":\"warm@example.com\",\"login_code\":\"000000\","
    "\"expires_in_minutes\":15,\"request_url\":\"https://example.com/?ui_locales=hu\","
    "\"transient_payload\":{},\"identity\":{\"id\":\"00000000-0000-0000-0000-000000000000\","
    "\"traits\":{\"email\":\"warm@example.com\",\"name\":{\"first\":\"W\",\"last\":\"M\"}},"
    "\"metadata_public\":null}}}";

static bool session_break(struct session *session)
{
    session->state = SESSION_OVER;
    session->end = SESSION_BROKEN;
    return false;
}

// For the end of an answer: whatever could not be written ends the session.
static bool answered(struct session *session, bool written)
{
    return written || session_break(session);
}

// The last answer of a session: false.
static bool answer_faults(struct session *session, json_t *faults)
{
    bool written = reply_faults(session->fd, faults, session->err);
    session->state = SESSION_OVER;
    session->end = written ? SESSION_FAULTS : SESSION_BROKEN;
    return false;
}

static bool malformed(struct session *session, const char *what)
{
    error_set(session->err, ERR_INPUT, "request: %s", what);
    return session_break(session);
}

// Reads one request. False: the session is over. The header is the caller's to json_decref().
static bool next_request(struct session *session, json_t **ret_header, const char **ret_op,
                         struct frame_blob *ret_blob)
{
    struct frame frame;
    switch (frame_read(&session->reader, session->fd, &frame, session->err)) {
    case FRAME_READY:
        break;
    case FRAME_END:
        session->state = SESSION_OVER;
        session->end = SESSION_CLOSED;
        return false;
    case FRAME_AGAIN:
        return malformed(session, "the socket does not block");
    case FRAME_ERROR:
        return session_break(session);
    }
    json_t *header = json_loadb(frame.header, frame.header_size, 0, NULL);
    const char *op = json_string_value(json_object_get(header, "op"));
    if (!op) {
        json_decref(header);
        return malformed(session, "no op");
    }
    *ret_header = header;
    *ret_op = op;
    *ret_blob = frame.blob_count ? frame.blobs[0] : (struct frame_blob){"", 0};
    return true;
}

static void drop_payload(struct session *session)
{
    json_decref(session->header);
    json_decref(session->document);
    session->header = session->document = NULL;
}

static json_t *give(struct session *session, json_t *header, const struct composer_route *route,
                    json_t *document)
{
    session->header = header;
    session->route = route;
    session->document = document;
    session->given_us = clock_boot_us();
    return document;
}

// Answers a payload that no normaliser can make a mail of, or that none is to see: true. Else
// false and the route that it came by.
static bool answer_without_normaliser(struct session *session, json_t *header,
                                      const struct frame_blob *blob, json_t *document,
                                      const struct composer_route **ret_route)
{
    const char *name = json_string_value(json_object_get(header, "route"));
    const struct composer_route *route = route_table_find(&session->routes, name);
    if (!document)
        answered(session,
                 answer_unparseable(session->fd, session->composer, header, blob, session->err));
    else if (json_is_true(json_object_get(header, "fallback")))
        answered(session, answer_fallback(session->fd, session->composer, header,
                                          route ? route->defaults : NULL, document, session->err));
    else if (!route)
        answered(session, reply_failed(session->fd, header, "unknown_route",
                                       "this composer knows no such route", session->err));
    else
        *ret_route = route;
    return session->state == SESSION_OVER || !*ret_route;
}

// Answers a request that is no payload; false where op is none of theirs.
static bool answer_request(struct session *session, json_t *header, const char *op,
                           const struct frame_blob *blob)
{
    int fd = session->fd;
    if (strcmp(op, "render") == 0)
        answered(session, answer_render(fd, session->composer, header, blob, session->err));
    else if (strcmp(op, "preview") == 0)
        answered(session, answer_preview(fd, session->composer, header, blob, session->err));
    else if (strcmp(op, "describe") == 0)
        answered(session, answer_describe(fd, session->composer, header, session->err));
    else if (strcmp(op, "evaluate") == 0)
        answered(session, answer_evaluate(fd, header, blob, session->err));
    else
        return false;
    return true;
}

// Answers a request; or returns the document where the normaliser is to see it first. Steals
// header.
static json_t *take_request(struct session *session, json_t *header, const char *op,
                            const struct frame_blob *blob)
{
    if (strcmp(op, "compose") == 0) {
        const struct composer_route *route = NULL;
        json_t *document = payload_parse(blob->data, blob->size, NULL);
        if (!answer_without_normaliser(session, header, blob, document, &route))
            return give(session, header, route, document);
        json_decref(document);
    } else if (!answer_request(session, header, op, blob)) {
        malformed(session, "unknown op");
    }
    json_decref(header);
    return NULL;
}

// What next_request() asks for, if anything; else the next document for a normaliser, or NULL.
static json_t *next_document(struct session *session)
{
    drop_payload(session);
    if (session->state == SESSION_COLD) {
        session->state = SESSION_WARMING;
        process_forget_start();
        json_t *sample = payload_parse(SAMPLE, sizeof(SAMPLE) - 1, session->err);
        return sample ? give(session, NULL, &session->routes.routes[0], sample) : NULL;
    }
    if (session->state == SESSION_WARMING) {
        session->state = SESSION_WARM;
        answered(session, reply_ready(session->fd, &session->confinement, session->err));
    }
    json_t *document = NULL;
    while (!document && session->state != SESSION_OVER) {
        json_t *header;
        const char *op;
        struct frame_blob blob;
        if (next_request(session, &header, &op, &blob))
            document = take_request(session, header, op, &blob);
    }
    return document;
}

static json_t *next_payload(void *context, size_t *ret_source)
{
    struct session *session = context;
    json_t *document = next_document(session);
    *ret_source = document ? session->route->source : 0;
    return document;
}

static void take_result(void *context, json_t *result)
{
    struct session *session = context;
    int64_t normaliser_us = clock_boot_us() - session->given_us;
    if (session->header) {
        answered(session, answer_payload(session->fd, session->composer, session->header,
                                         session->route->defaults, session->document, result,
                                         normaliser_us, session->err));
    } else {
        // The sample; what an operator's normaliser makes of it is of no interest.
        struct compose_request request = {.id = "warm"};
        struct composition composition;
        if (compose_payload(session->composer, &request, session->document, result, &composition,
                            NULL))
            composition_finish(&composition);
    }
    json_decref(result);
}

static bool answer_normaliser_fault(struct session *session, const char *message)
{
    json_auto_t *faults = json_pack("[o]", route_table_fault(&session->routes, message));
    return answer_faults(session, faults);
}

static bool run_normalisers(struct session *session, bool *ret_in_payload, struct error *err)
{
    const struct normaliser_io io = {.next = next_payload, .emit = take_result, .context = session};
    if (session->tables)
        return normaliser_run_tables(session->tables, &io, ret_in_payload, err);
    return normaliser_run(session->routes.sources, session->routes.source_count, &io,
                          ret_in_payload, err);
}

static void serve_payloads(struct session *session)
{
    while (session->state != SESSION_OVER) {
        bool in_payload = false;
        struct error error;
        if (run_normalisers(session, &in_payload, &error))
            continue;
        if (in_payload && session->header) {
            answered(session, reply_failed(session->fd, session->header, "normaliser_failed",
                                           error.message, session->err));
        } else if (!in_payload && session->state != SESSION_WARM) {
            answer_normaliser_fault(session, error.message);
        } else if (!in_payload) {
            *session->err = error;
            session_break(session);
        }
    }
    drop_payload(session);
}

static void finish_evaluator(struct session *session, struct evaluator *evaluator, json_t *faults)
{
    bool is_endless;
    size_t source;
    session->tables = evaluator_finish(evaluator, &is_endless, &source);
    if (!is_endless)
        return;
    char what[80];
    snprintf(what, sizeof(what), "is not done with a small payload after %d seconds",
             EVALUATION_LIMIT_MS / 1000);
    json_array_append_new(faults, json_pack("{s:s, s:s}", "where",
                                            session->routes.sources[source].file, "what", what));
}

// False: the core was told of faults, or the request is malformed.
static bool load(struct session *session, json_t *header)
{
    struct composer_settings settings = {
        .reply_to = json_string_value(json_object_get(header, "reply_to")),
        .lifetimes = json_object_get(header, "lifetimes"),
        .headers = json_object_get(header, "headers"),
    };
    if (json_unpack(header, "{s:s, s:s, s:s, s:s}", "templates_dir", &settings.templates_dir,
                    "default_locale", &settings.default_locale, "timezone", &settings.timezone,
                    "mail_from", &settings.mail_from) != 0)
        return malformed(session, "init");

    // Everything is loaded whatever was at fault before, so that an operator sees it all at once.
    json_auto_t *faults = json_array();
    struct error error;
    if (!route_table_init(&session->routes, json_object_get(header, "routes"), faults, &error))
        return malformed(session, error.message);
    // Meanwhile, where there is nothing at fault yet.
    struct evaluator evaluator = {0};
    if (json_array_size(faults) == 0)
        evaluator = evaluator_start(&session->routes, SAMPLE, EVALUATION_LIMIT_MS);
    session->composer = composer_create(&settings, faults);
    finish_evaluator(session, &evaluator, faults);
    if (session->composer)
        route_defaults_check(&session->routes, session->composer->renderer, faults);
    if (!session->composer || json_array_size(faults) > 0)
        return answer_faults(session, faults);
    return confine(&session->confinement, session->err) || session_break(session);
}

static void session_finish(struct session *session)
{
    drop_payload(session);
    composer_destroy(session->composer);
    json_decref(session->tables);
    route_table_finish(&session->routes);
    frame_reader_finish(&session->reader);
}

// Left to itself, jansson takes clock and process id where it cannot open /dev/urandom; a stranger
// who guesses them could choose keys that all fall into one bucket.
static bool seed_hashes(struct error *err)
{
    uint32_t seed = 0;
    while (seed == 0) {
        if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
            return error_errno(err, ERR_IO, "getrandom");
    }
    json_object_seed(seed);
    return true;
}

enum session_end session_serve(int fd, struct error *err)
{
    struct session session = {.fd = fd, .state = SESSION_COLD, .err = err};
    if (!seed_hashes(err))
        return SESSION_BROKEN;
    frame_reader_init(&session.reader);
    while (session.state != SESSION_OVER) {
        json_t *header;
        const char *op;
        struct frame_blob blob;
        if (!next_request(&session, &header, &op, &blob))
            break;
        if (strcmp(op, "evaluate") == 0)
            answered(&session, answer_evaluate(fd, header, &blob, err));
        else if (strcmp(op, "init") != 0)
            malformed(&session, "nothing was loaded yet");
        else if (load(&session, header))
            serve_payloads(&session);
        json_decref(header);
    }
    session_finish(&session);
    return session.end;
}
