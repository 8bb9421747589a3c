#include <sys/stat.h>

#include "composers_beat.h"
#include "tests/support/folder.h"

static void make_pipe(char dir[FOLDER_PATH_SIZE], char *path, size_t size)
{
    folder_make(dir);
    snprintf(path, size, "%s/pipe", dir);
    assert_int_equal(mkfifo(path, 0600), 0);
}

static void asks_for_each_in_order_and_tells_each_answer(void **state)
{
    struct fixture *fixture = *state;
    struct compose_request requests[20];
    for (size_t i = 0; i < 20; i++) {
        requests[i] = request_of(i % 5 == 4 ? "fail" : "ok");
        composers_submit(fixture->composers, &requests[i]);
    }
    wait_for(fixture, 20);
    for (size_t i = 0; i < 20; i++) {
        assert_ptr_equal(fixture->asked[i], &requests[i]);
        size_t told = (size_t)(fixture->outcomes[i].request - requests);
        assert_int_equal(fixture->outcomes[i].end, told % 5 == 4 ? COMPOSE_FAILED : COMPOSED);
    }
}

static void what_kills_a_composer_costs_only_itself(void **state)
{
    struct fixture *fixture = *state;
    struct compose_request deadly = request_of("die"), good = request_of("ok"),
                           babbling = request_of("babble"), last = request_of("ok");
    composers_submit(fixture->composers, &deadly);
    composers_submit(fixture->composers, &good);
    composers_submit(fixture->composers, &babbling);
    composers_submit(fixture->composers, &last);
    wait_for(fixture, 4);
    for (size_t i = 0; i < 4; i++) {
        struct compose_request *request = fixture->outcomes[i].request;
        assert_int_equal(fixture->outcomes[i].end,
                         request == &deadly || request == &babbling ? COMPOSE_DIED : COMPOSED);
    }
}

// It lives, and would never answer. Its time is not waited for, which would be the payload's fault.
static void a_composer_that_cannot_be_written_to_is_replaced_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct compose_request first = request_of("deafen"), unheard = request_of("ok"),
                           last = request_of("ok");
    composers_submit(fixture->composers, &first);
    wait_for(fixture, 1);
    assert_int_equal(fixture->outcomes[0].end, COMPOSED);
    composers_submit(fixture->composers, &unheard);
    wait_for(fixture, 2);
    assert_int_equal(fixture->outcomes[1].end, COMPOSE_DIED);
    composers_submit(fixture->composers, &last);
    wait_for(fixture, 3);
    assert_int_equal(fixture->outcomes[2].end, COMPOSED);
}

// What says that it is the answer to another request, or does not say to which, is nobody's.
static void an_answer_is_only_taken_for_the_request_that_it_names(void **state)
{
    struct fixture *fixture = *state;
    struct compose_request misnamed = request_of("misnamed"), nameless = request_of("nameless"),
                           good = request_of("ok");
    composers_submit(fixture->composers, &misnamed);
    composers_submit(fixture->composers, &nameless);
    composers_submit(fixture->composers, &good);
    wait_for(fixture, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(fixture->outcomes[i].end,
                         fixture->outcomes[i].request == &good ? COMPOSED : COMPOSE_DIED);
}

static void a_second_answer_is_not_the_next_ones(void **state)
{
    struct fixture *fixture = *state;
    struct compose_request twice = request_of("twice"), next = request_of("ok");
    next.route = "orders";
    composers_submit(fixture->composers, &twice);
    composers_submit(fixture->composers, &next);
    wait_for(fixture, 2);
    assert_ptr_equal(fixture->outcomes[0].request, &twice);
    assert_int_equal(fixture->outcomes[0].end, COMPOSED);
    assert_ptr_equal(fixture->outcomes[1].request, &next);
    // It died with the composer, or another one made it; what was made of the first it is not.
    if (fixture->outcomes[1].end == COMPOSED)
        assert_string_equal(fixture->outcomes[1].route, "orders");
    else
        assert_int_equal(fixture->outcomes[1].end, COMPOSE_DIED);
}

// The loop was busy with other things; the answer lies in the socket of one that is killed now.
static void an_answer_at_the_last_moment_costs_nobody_else_anything(void **state)
{
    struct fixture *fixture = *state;
    char dir[FOLDER_PATH_SIZE], path[FOLDER_PATH_SIZE + 8];
    make_pipe(dir, path, sizeof(path));
    struct compose_request slow = request_of("tell"), innocent = request_of("ok");
    slow.blob = path;
    slow.blob_size = strlen(path);
    slow.spent_ms = 999;
    composers_submit(fixture->composers, &slow);
    composers_submit(fixture->composers, &innocent);
    close(open(path, O_RDONLY | O_CLOEXEC));
    composers_tick(fixture->composers, clock_boot_ms() + 10);
    wait_for(fixture, 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(fixture->outcomes[i].end,
                         fixture->outcomes[i].request == &slow ? COMPOSE_TIMED_OUT : COMPOSED);
    folder_remove(dir);
}

// While one composer hangs, a second one takes what waits.
static void a_hanging_payload_does_not_hold_the_others_up(void **state)
{
    struct fixture *fixture = *state;
    char dir[FOLDER_PATH_SIZE], path[FOLDER_PATH_SIZE + 8];
    make_pipe(dir, path, sizeof(path));
    struct compose_request hanging = request_of("wait"), good[5];
    hanging.task = COMPOSE_RENDER; // so that it has seconds
    hanging.blob = path;
    hanging.blob_size = strlen(path);
    composers_submit(fixture->composers, &hanging);
    for (size_t i = 0; i < 5; i++) {
        good[i] = request_of("ok");
        composers_submit(fixture->composers, &good[i]);
    }
    wait_for(fixture, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_ptr_not_equal(fixture->outcomes[i].request, &hanging);
        assert_int_equal(fixture->outcomes[i].end, COMPOSED);
    }
    close(open(path, O_WRONLY | O_CLOEXEC));
    wait_for(fixture, 6);
    folder_remove(dir);
}

static void a_payload_has_a_second(void **state)
{
    struct fixture *fixture = *state;
    struct compose_request hanging = request_of("hang");
    int64_t began_ms = clock_boot_ms();
    composers_submit(fixture->composers, &hanging);
    wait_for(fixture, 1);
    assert_int_equal(fixture->outcomes[0].end, COMPOSE_TIMED_OUT);
    assert_true(clock_boot_ms() - began_ms >= 1000);
}

static size_t count_children(void)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    size_t count = 0;
    for (int c = fgetc(file); c != EOF; c = fgetc(file))
        count += c == ' '; // behind each of them
    fclose(file);
    return count;
}

// On a machine that has no processor to spare a second one would only take from the others. But
// nobody waits for half a second.
static void what_gets_no_processor_time_gets_no_second_composer_at_once(void **state)
{
    struct fixture *fixture = *state;
    char dir[FOLDER_PATH_SIZE], path[FOLDER_PATH_SIZE + 8];
    make_pipe(dir, path, sizeof(path));
    struct compose_request first = request_of("wait"), second = request_of("ok");
    first.task = COMPOSE_RENDER; // so that it has seconds
    first.blob = path;
    first.blob_size = strlen(path);
    int64_t began_ms = clock_boot_ms();
    composers_submit(fixture->composers, &first);
    composers_submit(fixture->composers, &second);
    for (int64_t ms = 0; ms < 500; ms += 10)
        composers_tick(fixture->composers, began_ms + ms);
    assert_int_equal(count_children(), 1);
    wait_for(fixture, 1);
    assert_int_equal(count_children(), 2);
    assert_ptr_equal(fixture->outcomes[0].request, &second);
    close(open(path, O_WRONLY | O_CLOEXEC));
    wait_for(fixture, 2);
    folder_remove(dir);
}

static void a_forgotten_request_is_not_told_of(void **state)
{
    struct fixture *fixture = *state;
    struct compose_request first = request_of("ok"), second = request_of("ok"),
                           third = request_of("ok");
    composers_submit(fixture->composers, &first);
    composers_submit(fixture->composers, &second);
    composers_submit(fixture->composers, &third);
    composers_forget(fixture->composers, &first);
    composers_forget(fixture->composers, &third);
    struct compose_request fourth = request_of("ok");
    composers_submit(fixture->composers, &fourth);
    wait_for(fixture, 2);
    assert_ptr_equal(fixture->outcomes[0].request, &second);
    assert_ptr_equal(fixture->outcomes[1].request, &fourth);
}

// By what is left of the time, and not by how long its end took to be seen.
static void assert_times_out_after(struct fixture *fixture, struct compose_request *hanging,
                                   int64_t limit_ms)
{
    int64_t began_ms = clock_boot_ms(), spent_ms = hanging->spent_ms;
    composers_submit(fixture->composers, hanging);
    assert_in_range(composers_next_ms(fixture->composers), began_ms + limit_ms,
                    clock_boot_ms() + limit_ms);
    wait_for(fixture, 1);
    assert_int_equal(fixture->outcomes[0].end, COMPOSE_TIMED_OUT);
    assert_true(hanging->spent_ms >= spent_ms + limit_ms);
}

// A payload may cost a second: what has cost most of it in a first try has the rest.
static void a_second_try_has_what_is_left_of_the_time(void **state)
{
    struct fixture *fixture = *state;
    struct compose_request again = request_of("hang");
    again.spent_ms = 950;
    assert_times_out_after(fixture, &again, 50);
}

// Who asks a normaliser that is down may not keep a composer from the others for long.
static void the_last_resort_has_less_time(void **state)
{
    struct fixture *fixture = *state;
    struct compose_request hanging = request_of("hang");
    hanging.is_last_resort = true;
    assert_times_out_after(fixture, &hanging, 200);
}

// While both composers hang, what is quick comes to wait behind what may hang as well.
static void the_quick_are_composed_before_what_may_hang(void **state)
{
    struct fixture *fixture = *state;
    struct compose_request hanging[4], fallback = request_of("ok");
    for (size_t i = 0; i < 4; i++) {
        hanging[i] = request_of("hang");
        hanging[i].spent_ms = i < 2 ? 900 : 0;
        composers_submit(fixture->composers, &hanging[i]);
    }
    fallback.task = COMPOSE_FALLBACK;
    composers_submit(fixture->composers, &fallback);
    size_t place = 0;
    while (beat_until(fixture, &fixture->chosen, place + 1), fixture->asked[place] != &fallback)
        place++;
    assert_int_equal(place, 1); // behind the one that was at work when it came
}

static void assert_has_seconds(struct fixture *fixture, struct compose_request *request)
{
    int64_t began_ms = clock_boot_ms();
    composers_submit(fixture->composers, request);
    wait_for(fixture, 1);
    assert_int_equal(fixture->outcomes[0].end, COMPOSE_TIMED_OUT);
    assert_true(clock_boot_ms() - began_ms >= 4000);
}

// One that uses no processor is not at fault as long as it could be the machine's.
static void one_that_gets_no_processor_has_seconds_more(void **state)
{
    struct fixture *fixture = *state;
    struct compose_request sleeping = request_of("sleep");
    assert_has_seconds(fixture, &sleeping);
    assert_int_equal(sleeping.spent_ms, 1000); // no more is held against it
}

// Also what is given a part of that: a busy machine takes it no less from those.
static void one_with_little_time_that_gets_no_processor_has_as_long(void **state)
{
    struct fixture *fixture = *state;
    struct compose_request sleeping = request_of("sleep");
    sleeping.is_last_resort = true;
    assert_has_seconds(fixture, &sleeping);
    assert_int_equal(sleeping.spent_ms, 200);
}

static void time_spent_is_counted_whatever_the_end(void **state)
{
    struct fixture *fixture = *state;
    char dir[FOLDER_PATH_SIZE], path[FOLDER_PATH_SIZE + 8];
    make_pipe(dir, path, sizeof(path));
    struct compose_request slow = request_of("wait");
    slow.blob = path;
    slow.blob_size = strlen(path);
    slow.spent_ms = 7;
    composers_submit(fixture->composers, &slow);
    close(open(path, O_WRONLY | O_CLOEXEC));
    int64_t until_ms = clock_boot_ms() + 3;
    while (clock_boot_ms() < until_ms)
        continue;
    wait_for(fixture, 1);
    assert_true(slow.spent_ms >= 10);
    folder_remove(dir);
}

static void the_normaliser_can_be_taken_away_at_the_last_moment(void **state)
{
    struct fixture *fixture = *state;
    struct compose_request first = request_of("ok"), second = request_of("ok");
    composers_submit(fixture->composers, &first); // at work at once
    fixture->refuse = false;
    composers_submit(fixture->composers, &second); // waits
    fixture->refuse = true;
    wait_for(fixture, 2);
    // One that stands still for half a second gets help, which may be the first to answer.
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(fixture->outcomes[i].fallback, fixture->outcomes[i].request == &second);
    assert_int_equal(second.task, COMPOSE_FALLBACK);
}

static void a_composer_is_told_the_route(void **state)
{
    struct fixture *fixture = *state;
    struct compose_request request = request_of("ok"), stored = request_of("ok");
    request.route = "orders";
    stored.task = COMPOSE_RENDER;
    composers_submit(fixture->composers, &request);
    composers_submit(fixture->composers, &stored);
    wait_for(fixture, 2);
    for (size_t i = 0; i < 2; i++)
        assert_string_equal(fixture->outcomes[i].route,
                            fixture->outcomes[i].request == &request ? "orders" : "");
}

static void the_confinement_is_told_once(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(fixture->confinements, 1);
    assert_string_equal(fixture->confinement, "first");
    assert_string_equal(fixture->missing, "landlock: not here");
    struct compose_request deadly = request_of("die"), good = request_of("ok");
    composers_submit(fixture->composers, &deadly);
    composers_submit(fixture->composers, &good);
    wait_for(fixture, 2); // by another composer, which is confined just so
    assert_int_equal(fixture->confinements, 1);
}

static void faults_at_start_are_named(void **state)
{
    struct fixture *fixture = *state;
    fixture->version = "bad";
    struct error err = {0};
    json_auto_t *faults = NULL;
    assert_null(create(fixture, &faults, &err));
    assert_string_equal(err.message, "bad:1: no");
    assert_int_equal(json_array_size(faults), 1);
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc == 2)
        return stand_in_main();
    program = realpath("/proc/self/exe", NULL);
    const struct CMUnitTest tests[] = {
        COMPOSERS_TEST(asks_for_each_in_order_and_tells_each_answer),
        COMPOSERS_TEST(what_kills_a_composer_costs_only_itself),
        COMPOSERS_TEST(a_composer_that_cannot_be_written_to_is_replaced_at_once),
        COMPOSERS_TEST(an_answer_is_only_taken_for_the_request_that_it_names),
        COMPOSERS_TEST(a_second_answer_is_not_the_next_ones),
        COMPOSERS_TEST(an_answer_at_the_last_moment_costs_nobody_else_anything),
        COMPOSERS_TEST(a_hanging_payload_does_not_hold_the_others_up),
        COMPOSERS_TEST(a_payload_has_a_second),
        COMPOSERS_TEST(what_gets_no_processor_time_gets_no_second_composer_at_once),
        COMPOSERS_TEST(a_second_try_has_what_is_left_of_the_time),
        COMPOSERS_TEST(the_last_resort_has_less_time),
        COMPOSERS_TEST(the_quick_are_composed_before_what_may_hang),
        COMPOSERS_TEST(one_that_gets_no_processor_has_seconds_more),
        COMPOSERS_TEST(one_with_little_time_that_gets_no_processor_has_as_long),
        COMPOSERS_TEST(time_spent_is_counted_whatever_the_end),
        COMPOSERS_TEST(the_normaliser_can_be_taken_away_at_the_last_moment),
        COMPOSERS_TEST(a_composer_is_told_the_route),
        COMPOSERS_TEST(a_forgotten_request_is_not_told_of),
        COMPOSERS_TEST(the_confinement_is_told_once),
        COMPOSERS_TEST(faults_at_start_are_named),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(program);
    return failed;
}
