// queue.h - the durable queue: messages and their states, on disk before anybody is told.
//
// SQLite underneath (WAL, synchronous=FULL). ONE writer thread alone writes and checkpoints; a
// group is whatever has queued up while the last commit ran. Knows bytes and states, not mail:
// a body is sealed here and never looked into. Never logs.
//
// Writes are asynchronous: any thread submits one, the writer thread calls `done` after the
// commit (or after it has failed). A done function must not block and must not call a
// function that waits (queue_flush, queue_close). Everything a write names is copied before
// the submitting function returns.
//
// Reads go through a struct queue_reader: a read-only connection of one thread.
//
// Times are milliseconds of the queue's own clock, queue_now_ms(): the wall clock when the
// folder was made, carried on by CLOCK_BOOTTIME, so it never jumps (design §6, Deadline).
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/error.h"

#define QUEUE_ID_SIZE 37 // UUIDv7 as text, with its NUL
#define QUEUE_DIGEST_SIZE 32
#define QUEUE_TEXT_SIZE 65 // template, route, key name, locale, reason, smarthost: with NUL
#define QUEUE_RECIPIENT_SIZE 321
#define QUEUE_REPLY_SIZE 201

struct queue;
struct queue_reader;

enum message_state {
    MESSAGE_RECEIVED, // stored, not composed yet
    MESSAGE_QUEUED,
    MESSAGE_SENDING, // carries a lease
    MESSAGE_SENT,
    MESSAGE_FAILED,
    MESSAGE_EXPIRED,
    MESSAGE_SUPERSEDED,
    MESSAGE_CANCELLED,
    MESSAGE_UNKNOWN,
    MESSAGE_HELD,
    MESSAGE_PARKED,
};
#define MESSAGE_STATE_COUNT 11
#define QUEUE_STATE_BIT(state) (1u << (state)) // of a set of states

enum lane { LANE_CODE, LANE_NOTICE, LANE_BULK };
#define LANE_COUNT 3

const char *message_state_name(enum message_state state); // "received" ...
bool message_state_parse(const char *name, enum message_state *ret_state);
const char *lane_name(enum lane lane); // "code", "notice", "bulk"
bool lane_parse(const char *name, enum lane *ret_lane);

// ---- opening -------------------------------------------------------------------------------

struct queue_resealed {
    size_t bodies;           // sealed anew
    size_t keys_needed;      // older keys that stay, since bodies of theirs are damaged
    bool are_given;          // key_hex was: the others can be taken out of it by whoever has set it
    const struct error *err; // why queue.key could not be written without the others, or NULL
};

struct queue_options {
    const char *dir; // made (0700) where missing; refused if group or others can enter it
    // Keys of 64 hexadecimal digits, apart by commas or blanks; the first seals, all open. NULL:
    // those in dir/queue.key, which is made where it is missing.
    const char *key_hex;
    // Neither the folder nor the database is made: a disk that is not mounted must not be taken
    // for a new installation. ERR_TEMPORARY where there is none.
    bool must_exist;
    // The dot marks may be lost: as after a reboot; see queue_rebooted().
    bool marks_lost;
    // Called once by the writer thread when a write or sync has failed in a way that must not
    // be retried: nothing is accepted any more and the process should execute itself anew.
    void (*on_broken)(void *context, const struct error *err);
    // Called by a thread of the queue's own when no body is sealed with an older key any more that
    // the first one of the ring could be sealed with. NULL: nobody wants to know.
    void (*on_resealed)(void *context, const struct queue_resealed *resealed);
    // Called by the writer thread when it begins to refuse writes that may be possible again by
    // themselves (a full or read-only disk; err says why), and when all is well again (err is
    // NULL); of what comes and goes again and again, once a minute. May be NULL, and so may
    // on_broken.
    void (*on_blocked)(void *context, const struct error *err);
    void *context;
};

// Takes the folder's lock (queue.lock; ERR_TEMPORARY when another process still has it after two
// seconds: a child of a daemon that was killed may outlive it for a moment), checkpoints and
// truncates the WAL, makes or migrates the schema, starts the writer thread. A schema newer
// than this program's: ERR_INPUT, untouched. No space, not even with what the reserve holds:
// ERR_FULL. NULL on failure.
struct queue *queue_open(const struct queue_options *options, struct error *err);
// Commits what was submitted, refuses what cannot be committed now, checkpoints, and ends the
// writer; every done function has been called when this returns. Later writes are refused at
// once, in the submitting thread. Reading goes on.
void queue_stop(struct queue *queue);
// Stops, where that was not done, and releases everything. NULL is a no-op.
void queue_close(struct queue *queue);

// Is there a queue in the folder? False: err (ERR_TEMPORARY) says what is missing.
bool queue_exists(const char *dir, struct error *err);
// True where queue_open() has found none, and made one. *ret_beside_key: a queue.key was there
// already, so there has been a queue.
bool queue_was_made(const struct queue *queue, bool *ret_beside_key);

// True where the folder was found sealed with keys that were not given: wrong or lost ones. What is
// known by digests (duplicates, newer codes) began anew, until those keys are back.
bool queue_keys_lost(const struct queue *queue);

// True where the machine has been started anew since queue_recover() last ran: dot marks are
// gone then, so a lease found may have been sent. Settled at queue_open().
bool queue_rebooted(const struct queue *queue);
// How long the machine was away before this start, by its wall clock; 0 where it was up. Less than
// 0: the clock went back by so much, and no time was counted.
int64_t queue_away_ms(const struct queue *queue);

int64_t queue_now_ms(const struct queue *queue); // any thread
// For people: what the wall clock shows at queue time t, and the other clocks' conversions.
int64_t queue_wall_ms(const struct queue *queue, int64_t t_ms);
int64_t queue_boot_ms(const struct queue *queue, int64_t t_ms); // CLOCK_BOOTTIME at time t

// Two degrees of "cannot be written". Any thread.
// Could a payload be accepted now? False while the disk is full or read-only, or broken: not ready.
bool queue_writable(const struct queue *queue);
// Can it be committed how messages go on (claims, outcomes)? Also on a full disk, by the reserve,
// so that delivering goes on. While this is false no SMTP may begin.
bool queue_can_settle(const struct queue *queue);

// A new UUIDv7. Ids of one process ascend in the order they were made. Any thread.
void queue_new_id(struct queue *queue, char ret_id[QUEUE_ID_SIZE]);

// BLAKE2b of data keyed with the installation's dedupe key (which outlives a rekey). purpose
// keeps digests of different uses apart: "content", "supersede", "recipient". Any thread.
void queue_digest(const struct queue *queue, const char *purpose, const void *data, size_t size,
                  uint8_t ret_digest[QUEUE_DIGEST_SIZE]);

// ---- writing -------------------------------------------------------------------------------

enum queue_result {
    QUEUE_DONE,
    QUEUE_DUPLICATE, // queue_accept(): known already; id names the first one
    QUEUE_GONE,      // the row is not there, or not in a state that this write starts from
    QUEUE_REFUSED,   // could not be committed (disk full, read-only, broken, closing)
    // of queue_act() alone
    QUEUE_WRONG_STATE,  // none that the act starts from
    QUEUE_BODY_DROPPED, // a right one, but there is nothing left to send
    QUEUE_TOO_LATE,     // or no time
};

// id is good during the call only.
typedef void queue_done_fn(void *context, enum queue_result result, const char *id);

struct queue_accept {
    const char *id; // from queue_new_id()
    const char *route;
    const char *key_name; // which API key; NULL: none
    const char *trace_id; // of the W3C trace that the request is part of; NULL: none
    const void *payload;
    size_t payload_size;
    int64_t received_ms; // queue time
};

// Stores a payload as `received`, unless its hash (route and bytes, keyed) is known within the
// window of design §6, Dedupe; look-up and insertion are one transaction. A write that cannot
// be committed is QUEUE_REFUSED at once, never tried again.
void queue_accept(struct queue *queue, const struct queue_accept *accept, queue_done_fn *done,
                  void *context);

// What the composer found out about one mail. Strings are copied; NULL: unknown.
struct queue_envelope {
    const char *channel;  // "email", "sms", "http"
    const char *template; // the template's name
    enum lane lane;
    const char *locale;
    const char *locale_source; // which wish it was chosen by
    const char *recipient;
    const char *identity_id;
    bool coded;                      // carries a code or link: decides the dedupe window
    int64_t created_ms;              // the message's own, as accepted: sealed in with the body
    int64_t deadline_ms;             // queue time
    const uint8_t *content_digest;   // QUEUE_DIGEST_SIZE bytes, of route + index + content
    const uint8_t *supersede_digest; // QUEUE_DIGEST_SIZE bytes, or NULL
    bool supersede_by_browser;       // else by flow
};

struct queue_mail {
    struct queue_envelope envelope;
    const void *body; // canonical mail; replaces the raw payload
    size_t body_size;
    // PARKED: body is the whole raw payload instead. A mail of several that could not be made
    // keeps it under its own id, to be made of it once more when released (is_part).
    bool body_is_payload;
    enum message_state state; // QUEUED, PARKED, SUPERSEDED, EXPIRED, CANCELLED
    const char *reason;       // NULL where none
    int64_t not_before_ms;    // QUEUED: 0 = now
};

// Turns a `received` row into its composed mails, in one commit: the first keeps id (and its
// array index), the others get new ones (array index 1, 2, ...). count 0 ends it as `cancelled`,
// reason nothing_to_send. QUEUE_GONE also where created_ms is not the row's.
void queue_compose(struct queue *queue, const char *id, const struct queue_mail *mails,
                   size_t count, queue_done_fn *done, void *context);

// `queued` -> `sending` under a lease. owner names the core's run; end is queue time.
void queue_claim(struct queue *queue, const char *id, const char *owner, int64_t lease_end_ms,
                 queue_done_fn *done, void *context);

struct queue_attempt {
    int64_t started_ms;
    const char *smarthost;
    // "sent", "temporary", "permanent", "session", "unknown", "expired", "cut", "suspect"
    const char *outcome;
    int reply_code;            // 0: none
    const char *enhanced_code; // "4.7.1" or NULL
    const char *reply_text;    // NULL or the first characters of the reply, secrets masked
    const char *address, *tls; // "192.0.2.1:25", "TLSv1.3"; NULL: there was no such thing
};

// Records an attempt of a message that is worked on further, as by the next smarthost, and changes
// nothing else. It may ride, and is kept like a settlement; nobody is told when it is written.
void queue_note_attempt(struct queue *queue, const char *id, const struct queue_attempt *attempt);

// How a message goes on after it was worked on: from `received`, `queued` or `sending` to state.
struct queue_settlement {
    // Final, or QUEUED to wait again, or PARKED; or RECEIVED: a row that is still `received` stays
    // so, and only counts what is to be counted.
    enum message_state state;
    const char *reason;
    const struct queue_envelope *envelope; // for a row still `received`; NULL: keep what is there
    // With state QUEUED from `received`: the canonical mail. Without it and an envelope a row that
    // is still `received` cannot wait: QUEUE_GONE.
    const void *body;
    size_t body_size;
    const struct queue_attempt *attempt; // NULL: no SMTP took place
    bool charge;                         // count the attempt
    bool charge_unknown;                 // count an unknown outcome
    int64_t not_before_ms;               // QUEUED
    bool ride;                           // may wait for another write's commit, at most 20 ms
};

// The body is dropped with sent, superseded, cancelled and expired. A settlement that cannot
// be committed for want of space is kept and tried again until it can; done comes then. Aborts
// without memory.
void queue_settle(struct queue *queue, const char *id, const struct queue_settlement *settlement,
                  queue_done_fn *done, void *context);

// What an operator does to a message.
//   RETRY    `queued`: due now. `failed`, `unknown`: on as by RELEASE, `retried`.
//   HOLD     `queued` -> `held`.
//   RELEASE  `parked`, `held` -> `received` where its body is the payload (to be composed anew), ->
//            `queued`, due now, where it is a canonical mail. It has the reason `released` until
//            its first outcome: its like may be under way, as the dispatcher alone knows. A
//            canonical mail whose like (queue_find_content()) has come and gone while it was parked
//            ends as `superseded`, reason duplicate.
//   CANCEL   `queued`, `held`, `parked` -> `cancelled`, reason by_operator; its body is dropped.
// Attempts, unknown outcomes and a deadline that is known stay. What has no body any more, or whose
// deadline has passed, is neither retried nor released.
enum queue_act { QUEUE_RETRY, QUEUE_HOLD, QUEUE_RELEASE, QUEUE_CANCEL };
#define QUEUE_ACT_COUNT 4
const char *queue_act_name(enum queue_act act); // "retry" ...
unsigned queue_act_states(enum queue_act act);  // QUEUE_STATE_BIT()s of those it starts from

struct queue_acted { // what the message is now, but for QUEUE_GONE and QUEUE_REFUSED
    char id[QUEUE_ID_SIZE];
    enum queue_result result;
    enum message_state state;
    int unknown_outcomes; // so often it may have arrived
    bool has_lane;
    enum lane lane;
    char template[QUEUE_TEXT_SIZE];
};
typedef void queue_acted_fn(void *context, const struct queue_acted *acted);

void queue_act(struct queue *queue, enum queue_act act, const char *id, queue_acted_fn *done,
               void *context); // refused at once where it cannot be committed
// The same of several, whose ids are set, in one commit that it waits for: nobody is accepted
// while that is at work, so they are to be few.
bool queue_act_on_all(struct queue *queue, enum queue_act act, struct queue_acted *messages,
                      size_t count, struct error *err);

#define QUEUE_KEY_ID_SIZE 9 // 8 hexadecimal digits

// A new key seals from now on; the older ones stay in queue.key behind it for as long as bodies
// need them. These are sealed anew in the background (on_resealed()); the digest key stays. With
// keys that were given none is made (*ret_made): those of other keys than the first are sealed
// anew. A restart goes on with it, behind queue_recover(). Gives the sealing key's id. Any thread;
// waits for the disk.
bool queue_rekey(struct queue *queue, bool *ret_made, char ret_key_id[QUEUE_KEY_ID_SIZE],
                 struct error *err);

struct queue_recovery {
    size_t released, ended_count;
    char (*ended)[QUEUE_ID_SIZE]; // the caller frees it
};
// Puts every lease of another owner back to `queued`, and after a reboot counts an unknown
// outcome on each lease and each `received` row; over max_unknown they end as `unknown`.
// Called once, after the dot marks of an earlier run were settled; a rekey that was cut short goes
// on behind it. Waits for the commit. ERR_FULL: nothing can be committed now.
bool queue_recover(struct queue *queue, const char *owner, int max_unknown,
                   struct queue_recovery *ret_recovery, struct error *err);

// Deletes up to limit final rows (parked or held: without a body) last updated before queue time
// before_ms, but none by which a payload must still be known; and drops kept bodies that can help
// no more. limit is for all together, and so is *ret_swept. *ret_more: not everything was looked at
// yet. Waits for the commit.
bool queue_sweep(struct queue *queue, int64_t before_ms, size_t limit, size_t *ret_swept,
                 bool *ret_more, struct error *err);

// Where limits (a text that names them) are not those that the folder knows: makes due what was put
// off as `rate_limited` before queue time before_ms, the newest first, to be judged by whoever
// gives tokens now. A batch a call, of one thread; *ret_more: call it again. Then the folder knows
// these. Waits for the commit; refused on a full disk.
bool queue_reconsider(struct queue *queue, const char *limits, int64_t before_ms, size_t *ret_count,
                      bool *ret_more, struct error *err);

// Waits until all that was submitted before is committed or refused. False: some was refused
// since the last flush, not counting what others wait for: bodies that are sealed anew, sweeps.
bool queue_flush(struct queue *queue, struct error *err);

// ---- backup --------------------------------------------------------------------------------

// err: why there is none; NULL: the file is there. Good during the call only.
typedef void queue_backup_done_fn(void *context, const struct error *err);

// Copies the queue, as it is at some moment before done is called, into a new file (0600) at an
// absolute path: one database file, sound by SQLite's quick_check, on disk. The bodies in it are
// sealed; queue.key is not in it. Others hardly notice; a thread of its own gives the pace and
// calls done. False: not begun, and done is not called; ERR_TEMPORARY: another backup is being
// made.
bool queue_backup(struct queue *queue, const char *path, queue_backup_done_fn *done, void *context,
                  struct error *err);
// Makes one that is being made fail soon, and all later ones at once; waits for its done.
void queue_backup_stop(struct queue *queue);

// For commands: the same of a folder whose daemon does not run. ERR_TEMPORARY: it does.
bool queue_backup_folder(const char *dir, const char *path, struct error *err);

// ---- checking ------------------------------------------------------------------------------

struct queue_check {
    int64_t messages, bodies;
    bool tried_bodies;            // with dir/queue.key; else there was none, or a finding
    int64_t damaged, unknown_key; // of the bodies
    int64_t findings;             // of all kinds
};
// id NULL: of the file as a whole.
typedef void queue_each_finding_fn(void *context, const char *id, const char *what);

// For commands: looks for what no version of this program writes. Takes the folder's lock:
// ERR_TEMPORARY where a daemon has it.
bool queue_check_folder(const char *dir, queue_each_finding_fn *each, void *context,
                        struct queue_check *ret_check, struct error *err);
// The same of a backup, with the keys in dir.
bool queue_check_backup(const char *path, const char *dir, queue_each_finding_fn *each,
                        void *context, struct queue_check *ret_check, struct error *err);

// ---- reading -------------------------------------------------------------------------------

enum queue_body_fault {
    BODY_FINE,
    BODY_DAMAGED,        // it, or what it is sealed to: id, created, recipient, deadline
    BODY_OF_UNKNOWN_KEY, // none of the ring's
};

// Everything but the body. Texts are empty and times 0 where unknown.
struct queue_message {
    char id[QUEUE_ID_SIZE];
    int array_index;
    enum message_state state;
    char reason[QUEUE_TEXT_SIZE];
    char route[QUEUE_TEXT_SIZE];
    char key_name[QUEUE_TEXT_SIZE];
    char channel[QUEUE_TEXT_SIZE];
    bool has_lane;
    enum lane lane;
    char template[QUEUE_TEXT_SIZE];
    char locale[QUEUE_TEXT_SIZE];
    char recipient[QUEUE_RECIPIENT_SIZE];
    char identity_id[QUEUE_TEXT_SIZE];
    bool coded;
    bool has_content, has_supersede;
    uint8_t content_digest[QUEUE_DIGEST_SIZE];
    uint8_t supersede_digest[QUEUE_DIGEST_SIZE];
    bool supersede_by_browser;
    char smarthost[QUEUE_TEXT_SIZE]; // of the last attempt
    int attempts;
    int unknown_outcomes;
    int64_t created_ms, updated_ms, not_before_ms, deadline_ms;
    char last_reply[QUEUE_REPLY_SIZE];
    char trace_id[QUEUE_TEXT_SIZE], locale_source[QUEUE_TEXT_SIZE];
    bool has_body;               // not dropped yet
    bool composed;               // the body is a canonical mail, not the raw payload
    bool is_part;                // of that payload only the mail array_index is this message
    enum queue_body_fault fault; // of a body that was asked for
};

// For the daemon: shares the keys and the clock of queue, which must outlive the reader.
struct queue_reader *queue_reader_create(struct queue *queue, struct error *err);
// For commands: opens dir read-only, beside a running daemon or without one. Bodies cannot be
// read through it. ERR_INPUT where there is no queue.
struct queue_reader *queue_reader_open(const char *dir, struct error *err);
void queue_reader_destroy(struct queue_reader *reader); // NULL is a no-op

// queue_now_ms() and queue_wall_ms() as the folder itself knows them; for either kind of reader.
int64_t queue_reader_now_ms(struct queue_reader *reader);
int64_t queue_reader_wall_ms(struct queue_reader *reader, int64_t t_ms);

// The newest `received` ids, or the due `queued` ids of one lane: newest first in LANE_CODE,
// oldest first in the others. At most limit. ERR_CORRUPT, here and in queue_overdue(): among them
// were rows whose id has changed, which nothing finds; they are parked now, and met no more, and
// ret_ids and *ret_count are those of the others.
bool queue_received(struct queue_reader *reader, size_t limit, char (*ret_ids)[QUEUE_ID_SIZE],
                    size_t *ret_count, struct error *err);
bool queue_due(struct queue_reader *reader, enum lane lane, int64_t now_ms, size_t limit,
               char (*ret_ids)[QUEUE_ID_SIZE], size_t *ret_count, struct error *err);
// When, after now_ms, the next `queued` row falls due or past its deadline, whichever is first;
// INT64_MAX: never.
bool queue_next_due(struct queue_reader *reader, int64_t now_ms, int64_t *ret_due_ms,
                    struct error *err);

// Ids of `queued` rows whose deadline has passed at now_ms, at most limit; and the first deadline
// of a `queued` row after now_ms (INT64_MAX: none).
bool queue_overdue(struct queue_reader *reader, int64_t now_ms, size_t limit,
                   char (*ret_ids)[QUEUE_ID_SIZE], size_t *ret_count, int64_t *ret_next_ms,
                   struct error *err);

// One message. found is false where there is none. ret_body NULL: without its body; else the
// body, NUL-terminated, which the caller wipes and frees (NULL where it was dropped, and where it
// does not open: `fault` says so). ERR_CORRUPT: the row is none that this program writes.
bool queue_load(struct queue_reader *reader, const char *id, struct queue_message *ret_message,
                bool *ret_found, char **ret_body, size_t *ret_body_size, struct error *err);

// Is there another message with this content digest (design §6, Dedupe: another payload, received
// within the window before or after; not one that ended as duplicate, or that is parked and so has
// not gone)? Gives its id. now_ms: where own_id is no row yet.
bool queue_find_content(struct queue_reader *reader, const uint8_t *content_digest,
                        const char *own_id, int64_t now_ms, char ret_id[QUEUE_ID_SIZE],
                        bool *ret_found, struct error *err);
// Is there a newer one (by receive time) with this supersede digest? Rows that ended as
// `duplicate` are never newer; nor, by browser, parked, held, failed or cancelled ones.
bool queue_find_newer(struct queue_reader *reader, const uint8_t *supersede_digest, bool by_browser,
                      const char *own_id, int64_t own_created_ms, char ret_id[QUEUE_ID_SIZE],
                      bool *ret_found, struct error *err);

// How many mails were made of the payload of this message when it was composed: its own row and
// its siblings'. 0 where there is no such message.
bool queue_count_siblings(struct queue_reader *reader, const char *id, size_t *ret_count,
                          struct error *err);

struct queue_filter {
    unsigned states; // a set of QUEUE_STATE_BIT()s; 0: any
    bool has_lane;
    enum lane lane;
    const char *recipient; // exact, case folded; NULL: any
    const char *template;
    const char *reason;
    const char *smarthost;       // of the last attempt
    const char *before_id;       // page: older than this id
    int64_t since_ms, before_ms; // created; 0: no bound
    size_t limit;
};

// Newest first. each returns false to stop; no look is open meanwhile, so it may take its time.
// ERR_CORRUPT: a row holds what no version of this program writes; the others were given all the
// same.
typedef bool queue_each_fn(void *context, const struct queue_message *message);
bool queue_list(struct queue_reader *reader, const struct queue_filter *filter, queue_each_fn *each,
                void *context, struct error *err);
// The same, but it looks at some look_max rows at most. ret_next_id: the before_id that goes on
// where filter->limit or look_max has ended it, whether that is a message's or not; empty: there is
// no more.
bool queue_list_page(struct queue_reader *reader, const struct queue_filter *filter,
                     size_t look_max, queue_each_fn *each, void *context,
                     char ret_next_id[QUEUE_ID_SIZE], struct error *err);

struct queue_attempt_row {
    int64_t started_ms, ended_ms;
    char smarthost[QUEUE_TEXT_SIZE], outcome[QUEUE_TEXT_SIZE], enhanced_code[QUEUE_TEXT_SIZE];
    int reply_code;
    char reply_text[QUEUE_REPLY_SIZE];
    char address[QUEUE_TEXT_SIZE], tls[QUEUE_TEXT_SIZE];
};
typedef bool queue_each_attempt_fn(void *context, const struct queue_attempt_row *attempt);
bool queue_attempts(struct queue_reader *reader, const char *id, queue_each_attempt_fn *each,
                    void *context, struct error *err); // oldest first

struct queue_stats {
    int64_t count[MESSAGE_STATE_COUNT];
    int64_t waiting[LANE_COUNT];           // queued and sending
    int64_t oldest_waiting_ms[LANE_COUNT]; // created; 0: none
};
// Steps over every message that is not sent, half a second for a million, in transactions of some
// 30 ms: so the counts are of slightly different moments. Not for each request.
bool queue_stats(struct queue_reader *reader, struct queue_stats *ret_stats, struct error *err);

#endif
