#include "queue/rekey.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "queue/change_reseal.h"
#include "queue/wake.h"

enum {
    PAUSE_MS = 10,   // between batches: others write meanwhile
    RETRY_MS = 1000, // after one was refused
};

struct rekey {
    struct keys *keys;
    struct writer *writer;
    void (*on_resealed)(void *context, const struct queue_resealed *resealed);
    void *context;
    pthread_t thread;
    pthread_mutex_t file_mutex; // one changes queue.key and the ring at a time
    uint64_t generation;        // of the ring; guarded by file_mutex

    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool wanted, stopping; // guarded by mutex
};

static bool has_old_keys(const struct keys *keys)
{
    keys_hold(keys);
    bool has = keys->ring->count > 1;
    keys_release(keys);
    return has;
}

static void want(struct rekey *rekey)
{
    pthread_mutex_lock(&rekey->mutex);
    rekey->wanted = true;
    pthread_cond_signal(&rekey->wake);
    pthread_mutex_unlock(&rekey->mutex);
}

// ---- queue.key ----------------------------------------------------------------------------------

static bool list_holds(const struct key_list *list, const uint8_t id[KEYS_ID_SIZE])
{
    for (size_t i = 0; i < list->count; i++) {
        uint8_t other[KEYS_ID_SIZE];
        keys_id_of(list->keys[i], other);
        if (memcmp(other, id, KEYS_ID_SIZE) == 0)
            return true;
    }
    return false;
}

// Of the keys in use only what is derived of them is in memory: a file that has lost one is not
// written anew without it. NULL on failure; else key_list_destroy() it.
static struct key_list *read_file(const struct keys *keys, struct error *err)
{
    struct key_list *list = key_list_create(err);
    bool found = false;
    if (!list || !key_file_read(keys->dir, list, &found, err)) {
        key_list_destroy(list);
        return NULL;
    }
    bool is_whole = found;
    keys_hold(keys);
    for (size_t i = 0; i < keys->ring->count; i++)
        is_whole = is_whole && list_holds(list, keys->ring->keys[i].id);
    keys_release(keys);
    if (is_whole)
        return list;
    error_set(err, ERR_INPUT, "%s/%s does not hold the keys in use: put them back", keys->dir,
              KEY_FILE);
    key_list_destroy(list);
    return NULL;
}

static bool put_in_force(struct rekey *rekey, const struct key_list *list, struct error *err)
{
    if (!keys_differ(list, err) || !key_file_write(rekey->keys->dir, list, err))
        return false;
    keys_replace(rekey->keys, list);
    rekey->generation++;
    return true;
}

static bool add_key(struct rekey *rekey, struct error *err)
{
    struct key_list *list = read_file(rekey->keys, err);
    bool ok = list && key_list_make(list, err) && put_in_force(rekey, list, err);
    key_list_destroy(list);
    return ok;
}

// Those of list that are in the ring, do not seal and that no body needs.
static size_t remove_unused(const struct keys *keys, struct key_list *list, const bool *still_used)
{
    size_t removed = 0;
    keys_hold(keys);
    for (size_t i = list->count; i-- > 0;) {
        uint8_t id[KEYS_ID_SIZE];
        keys_id_of(list->keys[i], id);
        const struct ring_key *key = keys_find(keys, id);
        if (!key || key == keys_first(keys) || still_used[key - keys->ring->keys])
            continue;
        key_list_remove(list, i);
        removed++;
    }
    keys_release(keys);
    return removed;
}

static bool drop_keys(struct rekey *rekey, const bool *still_used, struct error *err)
{
    struct key_list *list = read_file(rekey->keys, err);
    bool ok = list &&
              (remove_unused(rekey->keys, list, still_used) == 0 || put_in_force(rekey, list, err));
    key_list_destroy(list);
    return ok;
}

bool rekey_begin(struct rekey *rekey, bool *ret_made, char ret_key_id[KEYS_ID_HEX_SIZE],
                 struct error *err)
{
    pthread_mutex_lock(&rekey->file_mutex);
    bool made = !rekey->keys->are_given;
    bool ok = !made || add_key(rekey, err);
    pthread_mutex_unlock(&rekey->file_mutex);
    if (!ok)
        return false;
    keys_hold(rekey->keys);
    keys_id_text(keys_first(rekey->keys)->id, ret_key_id);
    keys_release(rekey->keys);
    *ret_made = made;
    want(rekey);
    return true;
}

void rekey_go_on(struct rekey *rekey)
{
    if (has_old_keys(rekey->keys))
        want(rekey);
}

// ---- the thread ---------------------------------------------------------------------------------

// False: stopping.
static bool pause_ms(struct rekey *rekey, int ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&rekey->mutex);
    while (!rekey->stopping && pthread_cond_timedwait(&rekey->wake, &rekey->mutex, &until) == 0)
        ;
    bool stopping = rekey->stopping;
    pthread_mutex_unlock(&rekey->mutex);
    return !stopping;
}

// False: stopping.
static bool wait_until_wanted(struct rekey *rekey)
{
    pthread_mutex_lock(&rekey->mutex);
    while (!rekey->stopping && !rekey->wanted)
        pthread_cond_wait(&rekey->wake, &rekey->mutex);
    rekey->wanted = false;
    bool stopping = rekey->stopping;
    pthread_mutex_unlock(&rekey->mutex);
    return !stopping;
}

// Submits change until it is done. False: stopping.
static bool see_done(struct rekey *rekey, struct change *change)
{
    while (writer_submit_and_wait(rekey->writer, change) != QUEUE_DONE)
        if (!pause_ms(rekey, RETRY_MS))
            return false;
    return true;
}

// What was sealed with an older key before the ring was changed is with the writer by now, and on
// disk behind this; so one pass over the rows meets all of it.
static bool reseal_all(struct rekey *rekey, struct queue_resealed *resealed, bool *still_used)
{
    struct change barrier = {.type = &CHANGE_NOTHING};
    if (!see_done(rekey, &barrier))
        return false;
    struct reseal batch = {
        .change.type = &CHANGE_RESEAL, .keys = rekey->keys, .begin_seq = RESEAL_BEGIN};
    do {
        if (!see_done(rekey, &batch.change))
            return false;
        resealed->bodies += batch.bodies;
        for (size_t i = 0; i < KEY_LIST_MAX; i++)
            still_used[i] = still_used[i] || batch.still_used[i];
        batch.begin_seq = batch.after_seq;
    } while (!batch.at_end && pause_ms(rekey, PAUSE_MS));
    return batch.at_end;
}

// One pass. False: stopping.
static bool work(struct rekey *rekey)
{
    struct queue_resealed resealed = {.are_given = rekey->keys->are_given};
    bool still_used[KEY_LIST_MAX] = {false};
    struct error err = {0};
    pthread_mutex_lock(&rekey->file_mutex);
    uint64_t generation = rekey->generation;
    pthread_mutex_unlock(&rekey->file_mutex);
    if (!reseal_all(rekey, &resealed, still_used))
        return false;

    pthread_mutex_lock(&rekey->file_mutex);
    bool is_last = generation == rekey->generation; // else another pass is wanted already
    if (is_last && !resealed.are_given && !drop_keys(rekey, still_used, &err))
        resealed.err = &err;
    pthread_mutex_unlock(&rekey->file_mutex);
    for (size_t i = 0; i < KEY_LIST_MAX; i++)
        resealed.keys_needed += still_used[i];
    if (is_last && rekey->on_resealed)
        rekey->on_resealed(rekey->context, &resealed);
    return true;
}

static void *run_thread(void *argument)
{
    struct rekey *rekey = argument;
    while (wait_until_wanted(rekey))
        if (!work(rekey))
            break;
    return NULL;
}

static bool start_thread(struct rekey *rekey)
{
    // Signals are the main thread's.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&rekey->thread, NULL, run_thread, rekey);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure == 0;
}

static void destroy(struct rekey *rekey)
{
    pthread_cond_destroy(&rekey->wake);
    pthread_mutex_destroy(&rekey->mutex);
    pthread_mutex_destroy(&rekey->file_mutex);
    free(rekey);
}

struct rekey *rekey_start(struct keys *keys, struct writer *writer,
                          const struct queue_options *options, struct error *err)
{
    struct rekey *rekey = calloc(1, sizeof(*rekey));
    if (!rekey)
        abort();
    rekey->keys = keys;
    rekey->writer = writer;
    rekey->on_resealed = options->on_resealed;
    rekey->context = options->context;
    wake_init(&rekey->wake);
    pthread_mutex_init(&rekey->mutex, NULL);
    pthread_mutex_init(&rekey->file_mutex, NULL);
    if (start_thread(rekey))
        return rekey;
    error_set(err, ERR_TEMPORARY, "no thread to change the queue's keys");
    destroy(rekey);
    return NULL;
}

void rekey_stop(struct rekey *rekey)
{
    if (!rekey)
        return;
    pthread_mutex_lock(&rekey->mutex);
    rekey->stopping = true;
    pthread_cond_signal(&rekey->wake);
    pthread_mutex_unlock(&rekey->mutex);
    pthread_join(rekey->thread, NULL);
    destroy(rekey);
}
