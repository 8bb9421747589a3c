// composers_fixture.h - composers that are stand-ins, and what they were heard to say.
#ifndef TESTS_UNIT_RELAY_COMPOSERS_FIXTURE_H
#define TESTS_UNIT_RELAY_COMPOSERS_FIXTURE_H

#include "composer_stand_in.h"
#include "relay/base/clock.h"
#include "relay/children/composers.h"

static char *program; // set by main()

struct outcome {
    struct compose_request *request;
    enum compose_end end;
    char version[32], route[32];
    bool fallback;
};

struct fixture {
    struct event_loop *loop;
    const char *version;
    struct composers *composers;
    struct outcome outcomes[64];
    struct compose_request *asked[64]; // in order
    size_t chosen, count, troubles, confinements;
    char confinement[32], missing[32];
    bool refuse; // choose() takes the normaliser away
};

static inline void on_choose(void *context, struct compose_request *request)
{
    struct fixture *fixture = context;
    fixture->asked[fixture->chosen++] = request;
    if (fixture->refuse)
        request->task = COMPOSE_FALLBACK;
}

static inline void copy_word(const json_t *value, char *to, size_t size)
{
    const char *text = json_string_value(value);
    snprintf(to, size, "%s", text ? text : "");
}

static inline void on_done(void *context, struct compose_request *request, enum compose_end end,
                           const json_t *header, const struct frame *frame)
{
    (void)frame;
    struct fixture *fixture = context;
    assert_int_equal(header != NULL, end == COMPOSED || end == COMPOSE_FAILED);
    struct outcome *outcome = &fixture->outcomes[fixture->count++];
    *outcome = (struct outcome){.request = request, .end = end};
    copy_word(json_object_get(header, "version"), outcome->version, sizeof(outcome->version));
    copy_word(json_object_get(header, "route"), outcome->route, sizeof(outcome->route));
    outcome->fallback = json_is_true(json_object_get(header, "fallback"));
}

static inline void on_trouble(void *context, const struct error *err)
{
    (void)err;
    ((struct fixture *)context)->troubles++;
}

static inline void on_confined(void *context, const json_t *in_force, const json_t *missing)
{
    struct fixture *fixture = context;
    fixture->confinements++;
    copy_word(json_array_get(in_force, 0), fixture->confinement, sizeof(fixture->confinement));
    copy_word(json_array_get(missing, 0), fixture->missing, sizeof(fixture->missing));
}

static inline json_t *init_of(const char *version)
{
    return json_pack("{s:s, s:s, s:[{s:s, s:s}]}", "op", "init", "version", version, "routes",
                     "name", "kratos", "normaliser", "n.jsonnet");
}

static inline struct composers *create(struct fixture *fixture, json_t **ret_faults,
                                       struct error *err)
{
    const struct composers_handlers handlers = {.choose = on_choose,
                                                .done = on_done,
                                                .trouble = on_trouble,
                                                .confined = on_confined,
                                                .context = fixture};
    json_auto_t *init = init_of(fixture->version);
    return composers_create(fixture->loop, program, init, &handlers, ret_faults, err);
}

static inline int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct error err = {0};
    fixture->loop = event_loop_create(&err);
    fixture->version = "first";
    fixture->composers = create(fixture, NULL, &err);
    *state = fixture;
    return fixture->composers ? 0 : -1;
}

static inline int tear_down(void **state)
{
    struct fixture *fixture = *state;
    composers_destroy(fixture->composers);
    event_loop_destroy(fixture->loop);
    free(fixture);
    return 0;
}

#define COMPOSERS_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

#endif
