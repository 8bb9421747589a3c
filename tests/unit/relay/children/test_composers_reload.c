#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "composers_beat.h"
#include "tests/support/folder.h"

// ---- a reload, and how it went --------------------------------------------------------------

struct reload {
    char dir[FOLDER_PATH_SIZE]; // its samples
    size_t count;               // how often done() was called
    bool is_in_force;
    char where[256], what[256];
};

static void on_reloaded(void *context, const json_t *faults)
{
    struct reload *reload = context;
    const json_t *fault = json_array_get(faults, 0);
    reload->count++;
    reload->is_in_force = !faults;
    copy_word(json_object_get(fault, "where"), reload->where, sizeof(reload->where));
    copy_word(json_object_get(fault, "what"), reload->what, sizeof(reload->what));
}

// samples: what the sample payloads are, NULL-terminated; the stand-in does what they say.
static void begin(struct fixture *fixture, struct reload *reload, const char *version,
                  const char *const *samples)
{
    *reload = (struct reload){.count = 0};
    folder_make(reload->dir);
    for (size_t i = 0; samples[i]; i++) {
        char name[16];
        snprintf(name, sizeof(name), "%zu.json", i);
        folder_write(reload->dir, name, samples[i]);
    }
    json_auto_t *init = init_of(version);
    const struct sample_set set = {.route = "kratos", .dir = reload->dir};
    composers_reload(fixture->composers, init, &set, 1, on_reloaded, reload);
    assert_int_equal(reload->count, 0);
}

static void finish(struct fixture *fixture, struct reload *reload)
{
    beat_until(fixture, &reload->count, 1);
    folder_remove(reload->dir);
}

static const char *const fine[] = {"ok", "nothing", "ok", NULL};

// Who composes now.
static void assert_version(struct fixture *fixture, const char *version)
{
    struct compose_request request = request_of("ok");
    fixture->count = 0;
    composers_submit(fixture->composers, &request);
    wait_for(fixture, 1);
    assert_string_equal(fixture->outcomes[0].version, version);
}

// How many children this program has: composers are all it ever starts.
static int count_children(void)
{
    char path[64], text[4096] = "";
    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    FILE *file = fopen(path, "r");
    if (!file)
        return -1;
    size_t size = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    int count = 0;
    for (size_t i = 0; i < size; i++)
        count += text[i] == ' ';
    return count;
}

// ---- requests that last until the test says so -----------------------------------------------

struct slow {
    struct compose_request request;
    char path[FOLDER_PATH_SIZE + 16];
};

static void submit_slow(struct fixture *fixture, struct slow *slow, const char *dir, int number)
{
    snprintf(slow->path, sizeof(slow->path), "%s/pipe%d", dir, number);
    assert_int_equal(mkfifo(slow->path, 0600), 0);
    slow->request = request_of("wait");
    slow->request.task = COMPOSE_RENDER; // which may take longer than a second
    slow->request.blob = slow->path;
    slow->request.blob_size = strlen(slow->path);
    composers_submit(fixture->composers, &slow->request);
}

// Blocks until a composer is at it.
static void let_finish(const struct slow *slow)
{
    close(open(slow->path, O_WRONLY | O_CLOEXEC));
}

// ---- tests --------------------------------------------------------------------------------------

static void a_good_one_takes_the_place_of_those_at_work(void **state)
{
    struct fixture *fixture = *state;
    assert_version(fixture, "first");
    struct reload reload;
    begin(fixture, &reload, "second", fine);
    finish(fixture, &reload);
    assert_true(reload.is_in_force);
    assert_version(fixture, "second");
    assert_int_equal(count_children(), 1);
    assert_int_equal(fixture->confinements, 2);
    assert_string_equal(fixture->confinement, "second");

    // So do those that are started later: one that replaces a dead one, and the second.
    struct compose_request deadly = request_of("die"), hanging = request_of("hang"),
                           good = request_of("ok");
    fixture->count = 0;
    composers_submit(fixture->composers, &deadly);
    wait_for(fixture, 1);
    assert_version(fixture, "second");
    fixture->count = 0;
    composers_submit(fixture->composers, &hanging);
    composers_submit(fixture->composers, &good);
    wait_for(fixture, 1);
    assert_ptr_equal(fixture->outcomes[0].request, &good);
    assert_string_equal(fixture->outcomes[0].version, "second");
    assert_int_equal(fixture->troubles, 0);
    composers_forget(fixture->composers, &hanging);
}

static void the_confinement_is_told_anew_though_it_is_the_same(void **state)
{
    struct fixture *fixture = *state;
    struct reload reload;
    begin(fixture, &reload, "first", fine);
    finish(fixture, &reload);
    assert_int_equal(fixture->confinements, 2);
}

static void a_faulty_one_is_refused_and_named(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *version;
        const char *samples[4];
        const char *where, *what; // where NULL: the folder, or a file in it
    } cases[] = {
        {"bad", {"ok"}, "bad:1", "no"},
        {"second", {"ok", "fail", "ok"}, NULL, "n.jsonnet:1:2: no"},
        {"second", {"ok", "ok", "fail"}, NULL, "n.jsonnet:1:2: no"},
        {"second", {"park"}, "n.jsonnet", "data is missing, for 0.json"},
        {"second", {"ok", "die"}, "n.jsonnet", "ended its composer, for 1.json"},
        {"second", {"babble"}, "n.jsonnet", "ended its composer, for 0.json"},
        {"second", {"ok", "hang"}, "n.jsonnet", "took longer than a second, for 1.json"},
        {"second",
         {"nothing", "nothing"},
         "n.jsonnet",
         "makes a mail of none of the samples of route kratos"},
        {"second", {NULL}, NULL, "holds no sample payloads"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct reload reload;
        begin(fixture, &reload, cases[i].version, cases[i].samples);
        finish(fixture, &reload);
        assert_false(reload.is_in_force);
        if (cases[i].where)
            assert_string_equal(reload.where, cases[i].where);
        else
            assert_memory_equal(reload.where, reload.dir, strlen(reload.dir));
        assert_string_equal(reload.what, cases[i].what);
        assert_version(fixture, "first");
        assert_int_equal(count_children(), 1);
        assert_int_equal(reload.count, 1);
    }
    assert_int_equal(fixture->troubles, 0); // nothing that was at work has died
    assert_int_equal(fixture->confinements, 1);
}

static void one_that_dies_while_it_loads_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct reload reload;
    begin(fixture, &reload, "dead", fine);
    finish(fixture, &reload);
    assert_false(reload.is_in_force);
    assert_string_equal(reload.where, program);
    assert_version(fixture, "first");
}

static void every_faulty_sample_is_named(void **state)
{
    struct fixture *fixture = *state;
    static const char *const samples[] = {"fail", "ok", "fail", NULL};
    struct reload reload;
    begin(fixture, &reload, "second", samples);
    finish(fixture, &reload);
    char last[FOLDER_PATH_SIZE + 8];
    snprintf(last, sizeof(last), "%s/0.json", reload.dir);
    assert_string_equal(reload.where, last);
}

// While the new one hangs at a sample, those at work answer.
static void work_goes_on_while_one_is_tried(void **state)
{
    struct fixture *fixture = *state;
    static const char *const samples[] = {"hang", NULL};
    struct reload reload;
    begin(fixture, &reload, "second", samples);
    for (size_t i = 0; i < 10; i++)
        assert_version(fixture, "first");
    assert_int_equal(reload.count, 0);
    finish(fixture, &reload);
    assert_false(reload.is_in_force);
}

static void those_at_work_finish_what_they_are_at(void **state)
{
    struct fixture *fixture = *state;
    char dir[FOLDER_PATH_SIZE];
    folder_make(dir);
    struct slow slow[2];
    struct reload reload;
    submit_slow(fixture, &slow[0], dir, 0);
    submit_slow(fixture, &slow[1], dir, 1);
    beat_until(fixture, &fixture->chosen, 2); // both composers are at work
    begin(fixture, &reload, "second", fine);
    finish(fixture, &reload);
    assert_true(reload.is_in_force);
    assert_int_equal(count_children(), 3);

    struct compose_request quick = request_of("ok");
    composers_submit(fixture->composers, &quick);
    wait_for(fixture, 1);
    assert_ptr_equal(fixture->outcomes[0].request, &quick);
    assert_string_equal(fixture->outcomes[0].version, "second");

    // There is no room to try another one until one of them has left.
    struct reload third;
    begin(fixture, &third, "third", fine);
    composers_tick(fixture->composers, clock_boot_ms());
    assert_int_equal(count_children(), 3);

    let_finish(&slow[0]);
    let_finish(&slow[1]);
    wait_for(fixture, 3);
    for (size_t i = 1; i < 3; i++) {
        assert_int_equal(fixture->outcomes[i].end, COMPOSED);
        assert_string_equal(fixture->outcomes[i].version, "first");
    }
    finish(fixture, &third);
    assert_version(fixture, "third");
    assert_int_equal(count_children(), 1);
    folder_remove(dir);
}

static void a_death_of_one_that_leaves_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct compose_request hanging = request_of("hang"); // for its second
    composers_submit(fixture->composers, &hanging);
    struct reload reload;
    begin(fixture, &reload, "second", fine);
    finish(fixture, &reload);
    wait_for(fixture, 1);
    assert_int_equal(fixture->outcomes[0].end, COMPOSE_TIMED_OUT);
    assert_int_equal(fixture->troubles, 0);
    assert_version(fixture, "second");
    assert_int_equal(count_children(), 1);
}

static void a_newer_reload_takes_the_place_of_one_under_way(void **state)
{
    struct fixture *fixture = *state;
    static const char *const samples[] = {"hang", NULL};
    struct reload older, newer;
    begin(fixture, &older, "second", samples);
    beat(fixture); // it is started
    begin(fixture, &newer, "third", fine);
    assert_int_equal(older.count, 1);
    assert_false(older.is_in_force);
    assert_string_equal(older.what, "another one has taken its place");
    finish(fixture, &newer);
    assert_true(newer.is_in_force);
    assert_int_equal(older.count, 1);
    assert_version(fixture, "third");
    assert_int_equal(count_children(), 1);
    folder_remove(older.dir);
}

static void a_reload_that_nothing_came_of_is_forgotten_at_the_end(void **state)
{
    struct fixture *fixture = *state;
    struct reload reload;
    begin(fixture, &reload, "second", fine);
    beat(fixture);
    composers_destroy(fixture->composers);
    fixture->composers = NULL;
    assert_int_equal(reload.count, 0);
    assert_int_equal(count_children(), 0);
    folder_remove(reload.dir);
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc == 2)
        return stand_in_main();
    program = realpath("/proc/self/exe", NULL);
    const struct CMUnitTest tests[] = {
        COMPOSERS_TEST(a_good_one_takes_the_place_of_those_at_work),
        COMPOSERS_TEST(the_confinement_is_told_anew_though_it_is_the_same),
        COMPOSERS_TEST(a_faulty_one_is_refused_and_named),
        COMPOSERS_TEST(one_that_dies_while_it_loads_is_refused),
        COMPOSERS_TEST(every_faulty_sample_is_named),
        COMPOSERS_TEST(work_goes_on_while_one_is_tried),
        COMPOSERS_TEST(those_at_work_finish_what_they_are_at),
        COMPOSERS_TEST(a_death_of_one_that_leaves_is_told),
        COMPOSERS_TEST(a_newer_reload_takes_the_place_of_one_under_way),
        COMPOSERS_TEST(a_reload_that_nothing_came_of_is_forgotten_at_the_end),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(program);
    return failed;
}
