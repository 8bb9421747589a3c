-- Never edit a step that was released: append one, and name it in schema_steps.c.
--
-- States, lanes and channels are words: whoever opens the file with sqlite3 reads what the
-- commands and the log say, and so does the SQL in queue/. It costs some seven bytes a row.
--
-- Each page that a commit touches costs some 20 us, so a message is one row with its body, the
-- body last, where no look at the rest has to step over it; and seq is made of the id (time and
-- counter, uuid_number()), which saves the index that finds a row by its id.
--
--   created   when the payload was received: times are the queue's clock, see queue.h
--   body_form 0: dropped, 1: the raw payload, 2: a canonical mail, 3: the raw payload, of which
--             only the mail array_index is this row's
--   coded     null until composed
CREATE TABLE message (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    lane TEXT,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    not_before INTEGER NOT NULL DEFAULT 0,
    deadline INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    unknown_outcomes INTEGER NOT NULL DEFAULT 0,
    body_form INTEGER NOT NULL,
    lease_owner TEXT,
    lease_end INTEGER,
    array_index INTEGER NOT NULL DEFAULT 0,
    coded INTEGER,
    route TEXT NOT NULL,
    key_name TEXT,
    channel TEXT,
    template TEXT,
    locale TEXT,
    recipient TEXT,
    identity_id TEXT,
    smarthost TEXT,
    last_reply TEXT,
    payload_hash BLOB NOT NULL,
    content_digest BLOB,
    supersede_digest BLOB,
    supersede_by_browser INTEGER NOT NULL DEFAULT 0,
    body BLOB
);

CREATE TABLE attempt (
    message INTEGER NOT NULL,
    number INTEGER NOT NULL,
    started INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    smarthost TEXT,
    outcome TEXT NOT NULL,
    reply_code INTEGER,
    enhanced_code TEXT,
    reply_text TEXT,
    PRIMARY KEY (message, number)
) WITHOUT ROWID;

CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;

-- Indexes cost every accept 5 to 10 us each, so there are few, and those on `queued` hold no
-- message that goes out at once. Filters of the admin's lists scan instead. SQLite uses a partial
-- index only for a query that repeats its condition.

-- accept: is this payload known?
CREATE INDEX message_payload ON message(payload_hash);
-- the second look, once composed
CREATE INDEX message_content ON message(content_digest) WHERE content_digest IS NOT NULL;
-- is there a newer one?
CREATE INDEX message_supersede ON message(supersede_digest) WHERE supersede_digest IS NOT NULL;
-- everything but sent ones (the many): `received` ones by age, `queued` ones by age within a lane,
-- counts for the statistics
CREATE INDEX message_open ON message(state, lane, created, not_before) WHERE state <> 'sent';
-- what falls due next; due rows where they are few among many
CREATE INDEX message_due ON message(lane, not_before, created) WHERE state = 'queued';
-- what expires next
CREATE INDEX message_deadline ON message(deadline) WHERE state = 'queued';
-- bodies kept only until nothing could come of them: SCHEMA_KEPT_UNTIL in schema.h
CREATE INDEX message_kept ON message(
    CASE WHEN state IN ('held', 'parked')
    THEN max(coalesce(deadline, 0), created + 604800000)
    ELSE coalesce(deadline, created + 604800000) END
) WHERE body_form > 0 AND state IN ('failed', 'unknown', 'held', 'parked');
