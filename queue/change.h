// change.h - one write on its way to the writer thread, and what the kinds of them share.
//
// A change is made in the thread that submits it, with everything copied and its body already
// sealed; the writer applies it inside a group's transaction. When that is rolled back and
// tried again it is applied again, so apply keeps nothing in the change but `result`.
#ifndef QUEUE_CHANGE_H
#define QUEUE_CHANGE_H

#include "queue/database.h"
#include "queue/queue.h"
#include "queue/seal.h"

struct change;

struct change_type {
    // Returns SQLite's code; sets result (QUEUE_DONE when called) where it is another.
    int (*apply)(struct change *change, struct database *database, int64_t now_ms);
    void (*destroy)(struct change *change); // NULL: not the writer's to free
    // What a full disk still takes, by the reserve. kept: how messages go on; while nothing at all
    // can be written it waits until it can, and is not refused. by_reserve: is refused then.
    bool kept, by_reserve;
    // Applied between two commits, outside of any transaction, with result QUEUE_DONE, or
    // QUEUE_REFUSED where the writer is broken. Returns SQLITE_OK.
    bool between;
};

struct change {
    struct change *next;
    const struct change_type *type;
    queue_done_fn *done;
    void *context;
    char id[QUEUE_ID_SIZE]; // what done is told
    enum queue_result result;
    bool ride;       // may wait for another's commit
    bool waited_for; // by its submitter, whom a refusal concerns and nobody else
};

// Writes nothing, but is kept, so it ends behind whatever was submitted before.
extern const struct change_type CHANGE_NOTHING;

// Says QUEUE_REFUSED in its turn: for a write for which there was no memory.
struct change *change_refusal(const char *id, queue_done_fn *done, void *context);

// Parks the open row seq, whose id is not its own any more, as damaged. Nobody is told.
struct change *change_park_stray(int64_t seq);

// A zeroed change of size bytes whose first member is struct change. Aborts without memory.
void *change_create(const struct change_type *type, size_t size, const char *id,
                    queue_done_fn *done, void *context);

// Copies text (NULL: "") into size bytes; what is too long is cut between characters.
void change_copy_text(char *to, size_t size, const char *text);

// ---- bodies -----------------------------------------------------------------------------------

// message.body_form. BODY_PART: the payload of several mails, kept by one that could not be made.
enum body_form { BODY_DROPPED = 0, BODY_PAYLOAD = 1, BODY_MAIL = 2, BODY_PART = 3 };

struct sealed_body {
    void *data; // NULL: none
    size_t size;
};

bool change_state_drops_body(enum message_state state);

// What the body of such a row is sealed to. A payload was sealed before its recipient and deadline
// were known, and keeps that seal. id and recipient are borrowed.
struct seal_binding body_binding(const char *id, enum body_form form, int64_t created_ms,
                                 const char *recipient, int64_t deadline_ms);

// ---- envelopes --------------------------------------------------------------------------------

// A copy of a struct queue_envelope.
struct envelope_copy {
    char channel[QUEUE_TEXT_SIZE], template[QUEUE_TEXT_SIZE], locale[QUEUE_TEXT_SIZE];
    char locale_source[QUEUE_TEXT_SIZE];
    char recipient[QUEUE_RECIPIENT_SIZE], identity_id[QUEUE_TEXT_SIZE];
    enum lane lane;
    bool coded, supersede_by_browser, has_content, has_supersede;
    int64_t created_ms, deadline_ms;
    uint8_t content_digest[QUEUE_DIGEST_SIZE], supersede_digest[QUEUE_DIGEST_SIZE];
};

void envelope_copy(struct envelope_copy *to, const struct queue_envelope *from);
// Binds what ENVELOPE_COLUMNS name, in their order.
void envelope_bind(const struct envelope_copy *envelope, struct query *query);

// Seals a canonical mail for the row id. False where there is no memory.
bool envelope_seal(const struct envelope_copy *envelope, const struct keys *keys, const char *id,
                   const void *body, size_t size, struct sealed_body *ret_body);

// ---- rows -------------------------------------------------------------------------------------

// What a change must know of a row before it changes it.
struct row {
    int64_t seq, created_ms, deadline_ms; // no deadline: 0
    enum message_state state;
    enum body_form form;
};

// An id that is no UUIDv7 names no row.
int change_find_row(struct database *database, const char *id, struct row *ret_row,
                    bool *ret_found);

// How a row goes on. Ends its lease.
struct row_update {
    enum message_state state;
    const char *reason; // "": none
    int64_t not_before_ms;
    enum body_form form;
    const struct sealed_body *body;       // the new one; NULL: keep what is there
    int attempts, unknown_outcomes;       // to be added
    const char *smarthost, *last_reply;   // "": keep what is there
    const struct envelope_copy *envelope; // NULL: keep what is there
};

int change_update_row(struct database *database, int64_t seq, const struct row_update *update,
                      int64_t now_ms);

#endif
