-- What a message came from: the W3C trace of its request, and by which wish its language was chosen
-- ("payload", "accept_language"; docs/protocol.md). Null where that is not known, and in rows that
-- are older. They stand behind the body, so only what shows them has to step over it.
ALTER TABLE message ADD COLUMN trace_id TEXT;
ALTER TABLE message ADD COLUMN locale_source TEXT;
