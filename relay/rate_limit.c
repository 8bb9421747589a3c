#include "relay/rate_limit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/number.h"

enum {
    KEY_SIZE = 16,  // of a recipient's digest: keyed, so nobody can aim at another's place
    SETS = 4096,    // each of so many ...
    SET_PLACES = 4, // ... recipients
    YIELD_MS = 10 * 1000,
};
#define COUNT_MAX 1000000
#define PERIOD_MIN_MS 1000
#define PERIOD_MAX_MS (INT64_C(30) * 24 * 60 * 60 * 1000)
#define US INT64_C(1000) // of a millisecond: a token may come more often than each

// A bucket is kept as the moment at which it is full again; each token taken puts that off by the
// interval of its rate (the generic cell rate algorithm), so no time passes for a bucket.
struct bucket {
    int64_t full_us[RATES_MAX];
    int64_t given_us[RATES_MAX]; // the same, had all that wait taken the tokens promised to them
    int64_t newest_ms;           // received: the newest that waits for the next token; 0: none
    int64_t newest_until_ms;     // when that one comes
    int64_t told_ms;
    bool was_told;
};

struct place {
    bool is_used;
    enum lane lane;
    uint8_t key[KEY_SIZE];
    struct bucket bucket;
};

struct rate_limit {
    struct rates recipient, total;
    struct bucket totals[LANE_COUNT];
    struct place places[SETS][SET_PLACES]; // zero pages until they are used
};

// ---- settings ---------------------------------------------------------------------------------

#define BLANKS " \t\r\n"

// The text is not repeated: it may be of a URI, and what was taken for it there a password.
static bool parse_rate(const char *text, size_t size, struct rate *ret_rate, struct error *err)
{
    const char *slash = memchr(text, '/', size);
    struct rate rate = {0};
    if (!slash || !number_parse(text, (size_t)(slash - text), COUNT_MAX, &rate.count) ||
        !duration_parse(slash + 1, size - (size_t)(slash + 1 - text), &rate.period_ms))
        return error_set(err, ERR_INPUT, "is no rate: it is COUNT/DURATION, like 20/1h");
    if (rate.count == 0)
        return error_set(err, ERR_INPUT, "would let nothing through; 'off' is no limit");
    if (rate.period_ms < PERIOD_MIN_MS || rate.period_ms > PERIOD_MAX_MS)
        return error_set(err, ERR_INPUT, "the time is not from 1s to 30d");
    *ret_rate = rate;
    return true;
}

bool rates_parse(const char *text, struct rates *ret_rates, struct error *err)
{
    struct rates rates = {0};
    bool is_off = strcmp(text, "off") == 0;
    for (const char *at = text; !is_off;) {
        at += strspn(at, BLANKS);
        size_t size = strcspn(at, ","), rate_size = size;
        while (rate_size > 0 && strchr(BLANKS, at[rate_size - 1]))
            rate_size--;
        if (rates.count == RATES_MAX)
            return error_set(err, ERR_INPUT, "has more than %d rates", RATES_MAX);
        if (!parse_rate(at, rate_size, &rates.rate[rates.count++], err))
            return false;
        if (at[size] == '\0')
            break;
        at += size + 1;
    }
    *ret_rates = rates;
    return true;
}

static size_t append_text(char *text, size_t size, const char *name, const struct rates *rates)
{
    size += (size_t)snprintf(text + size, RATES_TEXT_SIZE - size, "%s", name);
    for (size_t i = 0; i < rates->count; i++)
        size +=
            (size_t)snprintf(text + size, RATES_TEXT_SIZE - size, " %lld/%lldms",
                             (long long)rates->rate[i].count, (long long)rates->rate[i].period_ms);
    return size;
}

void rates_text(const struct rates *recipient, const struct rates *total,
                char ret_text[RATES_TEXT_SIZE])
{
    size_t size = append_text(ret_text, 0, "recipient", recipient);
    append_text(ret_text, size, ", total", total);
}

// ---- one bucket -------------------------------------------------------------------------------

static int64_t interval_us(const struct rate *rate)
{
    return rate->period_ms * US / rate->count;
}

static int64_t to_ms(int64_t at_us)
{
    return (at_us + US - 1) / US;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

// When the bucket that is full at those moments has a token.
static int64_t token_us(const struct rates *rates, const int64_t *full_us)
{
    int64_t at_us = 0;
    for (size_t i = 0; i < rates->count; i++) {
        const struct rate *rate = &rates->rate[i];
        at_us = later(at_us, full_us[i] - (rate->count - 1) * interval_us(rate));
    }
    return at_us;
}

static void take_at(const struct rates *rates, int64_t *full_us, int64_t at_us)
{
    for (size_t i = 0; i < rates->count; i++)
        full_us[i] = later(full_us[i], at_us) + interval_us(&rates->rate[i]);
}

static void put_back(const struct rates *rates, int64_t *full_us)
{
    for (size_t i = 0; i < rates->count; i++)
        full_us[i] -= interval_us(&rates->rate[i]);
}

static int64_t given_until_us(const struct bucket *bucket, size_t rate)
{
    return later(bucket->given_us[rate], bucket->full_us[rate]);
}

// Is there a newer one that waits for the next token? One that does not come for it is forgotten.
static bool has_newer(const struct bucket *bucket, int64_t received_ms, int64_t now_ms)
{
    return bucket->newest_ms > received_ms && now_ms < bucket->newest_until_ms + YIELD_MS;
}

static bool must_yield(const struct bucket *bucket, int64_t received_ms, int64_t now_ms)
{
    return has_newer(bucket, received_ms, now_ms) && now_ms >= bucket->newest_until_ms;
}

// Promises the first token that is nobody's yet. One behind the deadline is left to others.
static int64_t promise_us(const struct rates *rates, struct bucket *bucket,
                          const struct rate_request *request, int64_t now_ms)
{
    for (size_t i = 0; i < rates->count; i++)
        bucket->given_us[i] = given_until_us(bucket, i);
    int64_t newest_us = later(bucket->newest_until_ms, now_ms) * US;
    if (has_newer(bucket, request->received_ms, now_ms) &&
        token_us(rates, bucket->given_us) <= newest_us)
        take_at(rates, bucket->given_us, newest_us);
    int64_t at_us = later(token_us(rates, bucket->given_us), (now_ms + 1) * US);
    if (at_us < request->deadline_ms * US)
        take_at(rates, bucket->given_us, at_us);
    return at_us;
}

// ---- the table --------------------------------------------------------------------------------

struct rate_limit *rate_limit_create(const struct rates *recipient, const struct rates *total)
{
    struct rate_limit *limit = calloc(1, sizeof(*limit));
    if (!limit)
        return NULL;
    limit->recipient = *recipient;
    limit->total = *total;
    return limit;
}

void rate_limit_destroy(struct rate_limit *limit)
{
    free(limit);
}

static int64_t forgotten_last_us(const struct rates *rates, const struct bucket *bucket)
{
    int64_t at_us = 0;
    for (size_t i = 0; i < rates->count; i++)
        at_us = later(at_us, given_until_us(bucket, i));
    return at_us;
}

static struct bucket *find_bucket(struct rate_limit *limit, const struct rate_request *request,
                                  bool make)
{
    const uint8_t *digest = request->recipient;
    struct place *set = limit->places[(digest[KEY_SIZE] | digest[KEY_SIZE + 1] << 8) % SETS];
    struct place *fullest = &set[0];
    for (size_t i = 0; i < SET_PLACES; i++) {
        struct place *place = &set[i];
        if (place->is_used && place->lane == request->lane &&
            memcmp(place->key, digest, KEY_SIZE) == 0)
            return &place->bucket;
        if (forgotten_last_us(&limit->recipient, &place->bucket) <
            forgotten_last_us(&limit->recipient, &fullest->bucket))
            fullest = place;
    }
    if (!make)
        return NULL;
    *fullest = (struct place){.is_used = true, .lane = request->lane};
    memcpy(fullest->key, digest, KEY_SIZE);
    return &fullest->bucket;
}

// ---- requests ---------------------------------------------------------------------------------

// A new arrival waits for the next token, whosever it was: it is the newest.
static void wait_for(const struct rates *rates, struct bucket *bucket,
                     const struct rate_request *request, int64_t now_ms, struct rate_wait *wait)
{
    int64_t until_us;
    if (request->has_waited || has_newer(bucket, request->received_ms, now_ms)) {
        until_us = promise_us(rates, bucket, request, now_ms);
    } else {
        until_us = later(token_us(rates, bucket->full_us), (now_ms + 1) * US);
        bucket->newest_ms = request->received_ms;
        bucket->newest_until_ms = to_ms(until_us);
    }
    wait->until_ms = later(wait->until_ms, to_ms(until_us));
    wait->is_news = !bucket->was_told || now_ms - bucket->told_ms >= RATE_TELL_MS;
    if (wait->is_news)
        bucket->told_ms = now_ms;
    bucket->was_told = true;
}

static void take(const struct rates *rates, struct bucket *bucket,
                 const struct rate_request *request, int64_t now_ms)
{
    take_at(rates, bucket->full_us, now_ms * US);
    if (request->received_ms >= bucket->newest_ms)
        bucket->newest_ms = 0;
}

bool rate_limit_take(struct rate_limit *limit, const struct rate_request *request, int64_t now_ms,
                     struct rate_wait *ret_wait)
{
    if (request->lane == LANE_NOTICE)
        return true;
    struct rate_wait wait = {0};
    struct bucket *total = &limit->totals[request->lane], *own = NULL;
    if (token_us(&limit->total, total->full_us) > now_ms * US) {
        wait_for(&limit->total, total, request, now_ms, &wait);
        wait.is_total = true;
    }
    if (limit->recipient.count > 0) {
        own = find_bucket(limit, request, true);
        if (token_us(&limit->recipient, own->full_us) > now_ms * US ||
            must_yield(own, request->received_ms, now_ms)) {
            wait_for(&limit->recipient, own, request, now_ms, &wait);
            wait.is_total = false;
        }
    }
    if (wait.until_ms > 0) {
        if (wait.until_ms > request->deadline_ms)
            wait.until_ms = request->deadline_ms;
        *ret_wait = wait;
        return false;
    }
    take(&limit->total, total, request, now_ms);
    if (own)
        take(&limit->recipient, own, request, now_ms);
    return true;
}

void rate_limit_give_back(struct rate_limit *limit, const struct rate_request *request)
{
    if (request->lane == LANE_NOTICE)
        return;
    put_back(&limit->total, limit->totals[request->lane].full_us);
    struct bucket *own = limit->recipient.count > 0 ? find_bucket(limit, request, false) : NULL;
    if (own)
        put_back(&limit->recipient, own->full_us);
}

int64_t rate_limit_total_ms(const struct rate_limit *limit, enum lane lane)
{
    if (lane == LANE_NOTICE)
        return 0;
    return to_ms(token_us(&limit->total, limit->totals[lane].full_us));
}
