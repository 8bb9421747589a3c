// rate_limit.h - pure: token buckets. How many mails one recipient is sent in a time, and how many
// all of them together (design §5, Limits against mail bombing).
//
// A bucket for each recipient and lane, and one a lane for all; lane `notice` has none. What finds
// no token waits until the next one comes. Of those that wait for one bucket the newest has the
// next token, so a flood delays older mail and never locks the newest out: an older one that loses
// its place to a newer one is given another, behind all places given away so far. So each place
// goes to one message, and what waits is looked at once for its own place and once for each newer
// one, however many wait.
//
// In memory alone: after a start every bucket is full. Bounded: where a stranger names more
// recipients than there are places, the fullest buckets are forgotten first. Belongs to one thread.
#ifndef RELAY_RATE_LIMIT_H
#define RELAY_RATE_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/queue.h"
#include "relay/base/error.h"

#define RATES_MAX 3

struct rate { // count mails at once, and count more in each period_ms, evenly
    int64_t count, period_ms;
};
struct rates {
    struct rate rate[RATES_MAX]; // all hold together
    size_t count;                // 0: no limit
};

// "5/1m,20/1h", blanks beside a comma or not; "off": none. ERR_INPUT says what is wrong.
bool rates_parse(const char *text, struct rates *ret_rates, struct error *err);

#define RATES_TEXT_SIZE 160
// What both say, for comparison with what they have said.
void rates_text(const struct rates *recipient, const struct rates *total,
                char ret_text[RATES_TEXT_SIZE]);

struct rate_limit;

struct rate_limit *rate_limit_create(const struct rates *recipient, const struct rates *total);
void rate_limit_destroy(struct rate_limit *limit); // NULL is a no-op

// A message that wants to go. Times are of one clock that does not jump.
struct rate_request {
    enum lane lane;
    const uint8_t *recipient; // QUEUE_DIGEST_SIZE bytes: who it is
    int64_t received_ms, deadline_ms;
    bool has_waited; // it is no new arrival: its place was with an earlier token
};

struct rate_wait {
    int64_t until_ms; // when to ask again; at its deadline where no token comes before
    bool is_total;    // there are too many mails altogether, not too many for this recipient
    bool is_news;     // nobody was told of this bucket for RATE_TELL_MS
};
#define RATE_TELL_MS (10 * 60 * 1000)

// Takes a token. False: there is none for this message now, and *ret_wait says how long it waits.
bool rate_limit_take(struct rate_limit *limit, const struct rate_request *request, int64_t now_ms,
                     struct rate_wait *ret_wait);
// Nothing was sent for the token that this request took.
void rate_limit_give_back(struct rate_limit *limit, const struct rate_request *request);

// When a message of that lane may find a token of the bucket for all: now_ms or earlier where there
// is one.
int64_t rate_limit_total_ms(const struct rate_limit *limit, enum lane lane);

#endif
