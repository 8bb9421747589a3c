// fill - puts many messages into a queue's folder, as if they had come before.
//
// Through queue.h, so the rows are what the relay itself would have written, sealed with the
// folder's own key. Not beside a running relay: the folder's lock is taken. Prints one JSON line.
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/ledger.h"
#include "bench/payload.h"
#include "queue/queue.h"
#include "relay/base/cleanup.h"

// Writes that may be under way: the writer takes what has come as one group, so this is the size
// of a commit, and bounds the memory.
enum { UNDER_WAY_MAX = 4096 };

struct plan {
    const char *dir, *body;
    size_t rows;
    unsigned run;
    enum message_state state; // RECEIVED: body is a raw payload. QUEUED, SENT: a canonical mail
    bool mixed_lanes;         // of ten messages eight codes, a notice, and bulk; else codes
    int64_t age_ms;           // of the oldest one; the newest has come now
    int64_t deadline_in_ms;   // from now on, for all of them; may have passed
};

struct filling {
    const struct plan *plan;
    struct queue *queue;
    const char *pattern;
    int64_t now_ms; // queue time
    pthread_mutex_t mutex;
    pthread_cond_t fewer;
    size_t under_way, failed; // guarded by mutex
};

static void write_ended(void *context, enum queue_result result, const char *id)
{
    (void)id;
    struct filling *filling = context;
    pthread_mutex_lock(&filling->mutex);
    filling->under_way--;
    filling->failed += result != QUEUE_DONE;
    if (filling->under_way == UNDER_WAY_MAX / 2)
        pthread_cond_signal(&filling->fewer);
    pthread_mutex_unlock(&filling->mutex);
}

// Counts one more write, when there is room for it.
static void begin_write(struct filling *filling)
{
    pthread_mutex_lock(&filling->mutex);
    while (filling->under_way >= UNDER_WAY_MAX)
        pthread_cond_wait(&filling->fewer, &filling->mutex);
    filling->under_way++;
    pthread_mutex_unlock(&filling->mutex);
}

static enum lane lane_of(const struct plan *plan, size_t number)
{
    if (!plan->mixed_lanes || number % 10 < 8)
        return LANE_CODE;
    return number % 10 == 8 ? LANE_NOTICE : LANE_BULK;
}

static void compose(struct filling *filling, const char *id, size_t number, int64_t created_ms,
                    const struct buffer *body)
{
    const struct plan *plan = filling->plan;
    char recipient[QUEUE_RECIPIENT_SIZE];
    snprintf(recipient, sizeof(recipient), "b%08zu.r%u@bench.test", number, plan->run);
    uint8_t content[QUEUE_DIGEST_SIZE], supersede[QUEUE_DIGEST_SIZE];
    queue_digest(filling->queue, "content", id, strlen(id), content);
    queue_digest(filling->queue, "supersede", id, strlen(id), supersede);
    const struct queue_mail mail = {
        .envelope = {.channel = "email",
                     .template = "login_code_valid",
                     .lane = lane_of(plan, number),
                     .locale = "en",
                     .recipient = recipient,
                     .coded = true,
                     .created_ms = created_ms,
                     .deadline_ms = filling->now_ms + plan->deadline_in_ms,
                     .content_digest = content,
                     .supersede_digest = supersede},
        .body = body->data,
        .body_size = body->size,
        .state = MESSAGE_QUEUED,
    };
    begin_write(filling);
    queue_compose(filling->queue, id, &mail, 1, write_ended, filling);
    if (plan->state == MESSAGE_QUEUED)
        return;
    const struct queue_settlement end = {.state = plan->state};
    begin_write(filling);
    queue_settle(filling->queue, id, &end, write_ended, filling);
}

static bool put(struct filling *filling, size_t number, struct buffer *body, struct error *err)
{
    const struct plan *plan = filling->plan;
    char id[QUEUE_ID_SIZE];
    queue_new_id(filling->queue, id);
    buffer_clear(body);
    payload_put(body, filling->pattern, plan->run, number);
    if (body->failed)
        return error_set(err, ERR_TEMPORARY, "no memory");
    bool stays_raw = plan->state == MESSAGE_RECEIVED;
    int64_t age_ms = plan->age_ms - plan->age_ms * (int64_t)number / (int64_t)plan->rows;
    const struct queue_accept accept = {
        .id = id,
        .route = "kratos",
        .key_name = "bench",
        // A payload that is replaced at once need only be different from the others.
        .payload = stays_raw ? body->data : id,
        .payload_size = stays_raw ? body->size : strlen(id),
        .received_ms = filling->now_ms - age_ms,
    };
    begin_write(filling);
    queue_accept(filling->queue, &accept, write_ended, filling);
    if (!stays_raw)
        compose(filling, id, number, accept.received_ms, body);
    return true;
}

static bool fill(struct filling *filling, struct error *err)
{
    AUTO_BUFFER struct buffer body;
    buffer_init(&body, PAYLOAD_BYTES_MAX);
    bool ok = true;
    for (size_t i = 0; ok && i < filling->plan->rows; i++)
        ok = put(filling, i, &body, err);
    queue_stop(filling->queue); // every write has ended, and all is in the database
    if (ok && filling->failed > 0)
        return error_set(err, ERR_IO, "%zu writes failed", filling->failed);
    return ok;
}

static bool run(const struct plan *plan, struct error *err)
{
    AUTO_FREE char *pattern = payload_read(plan->body, err);
    if (!pattern)
        return false;
    const struct queue_options options = {.dir = plan->dir};
    struct filling filling = {.plan = plan,
                              .pattern = pattern,
                              .queue = queue_open(&options, err),
                              .mutex = PTHREAD_MUTEX_INITIALIZER,
                              .fewer = PTHREAD_COND_INITIALIZER};
    if (!filling.queue)
        return false;
    filling.now_ms = queue_now_ms(filling.queue);
    int64_t start_ns = ledger_now_ns();
    bool ok = fill(&filling, err);
    double seconds = (double)(ledger_now_ns() - start_ns) / 1e9;
    queue_close(filling.queue);
    if (ok)
        printf("{\"rows\": %zu, \"seconds\": %.1f, \"rows_per_second\": %.0f}\n", plan->rows,
               seconds, (double)plan->rows / seconds);
    return ok;
}

static bool parse(int argc, char **argv, struct plan *plan)
{
    static const struct option names[] = {
        {"dir", required_argument, NULL, 'd'},
        {"body", required_argument, NULL, 'b'},
        {"rows", required_argument, NULL, 'n'},
        {"run", required_argument, NULL, 'r'},
        {"state", required_argument, NULL, 's'},
        {"age", required_argument, NULL, 'a'},
        {"deadline-in", required_argument, NULL, 't'},
        {"mixed-lanes", no_argument, NULL, 'm'},
        {0},
    };
    for (int option; (option = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        long long number = strtoll(optarg ? optarg : "", NULL, 10);
        switch (option) {
        case 'd':
            plan->dir = optarg;
            break;
        case 'b':
            plan->body = optarg;
            break;
        case 'n':
            plan->rows = (size_t)number;
            break;
        case 'r':
            plan->run = (unsigned)number;
            break;
        case 's':
            if (!message_state_parse(optarg, &plan->state))
                return false;
            break;
        case 'a':
            plan->age_ms = number;
            break;
        case 't':
            plan->deadline_in_ms = number;
            break;
        case 'm':
            plan->mixed_lanes = true;
            break;
        default:
            return false;
        }
    }
    return plan->dir && plan->body && plan->rows > 0 &&
           (plan->state == MESSAGE_RECEIVED || plan->state == MESSAGE_QUEUED ||
            plan->state == MESSAGE_SENT);
}

int main(int argc, char **argv)
{
    struct plan plan = {.state = MESSAGE_QUEUED, .age_ms = 600000, .deadline_in_ms = 86400000};
    if (!parse(argc, argv, &plan)) {
        fprintf(stderr, "usage: fill --dir FOLDER --body PATTERN --rows N [--run N]\n"
                        "            [--state queued|received|sent] [--mixed-lanes]\n"
                        "            [--age MS] [--deadline-in MS]\n");
        return 2;
    }
    struct error err = {0};
    if (run(&plan, &err))
        return 0;
    fprintf(stderr, "fill: %s\n", err.message);
    return 1;
}
