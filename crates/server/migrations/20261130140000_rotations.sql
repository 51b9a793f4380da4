-- What a used grant touched is rotated: each hook that one of its scopes names is called when the grant has ended.

CREATE TABLE rotations (
    -- For good: a receiver drops by it what it has.
    id             TEXT PRIMARY KEY NOT NULL,
    request_id     TEXT NOT NULL REFERENCES requests (id),
    jti            TEXT NOT NULL,
    -- The name that the configuration had for the hook when the first token was taken, and the scopes that named it.
    hook           TEXT NOT NULL CHECK (hook <> ''),
    scopes         TEXT NOT NULL CHECK (json_array_length(scopes) > 0),
    -- When the service goes on with it, in milliseconds: before it is owed, when the grant is over for every filter, or 0 once
    -- the grant was revoked; afterwards the next call. None where no call is made any more.
    next_at_ms     INTEGER,
    owed_at_ms     INTEGER,
    -- Since when the hook is called: since it is owed, or since a person let it be called again.
    tried_since_ms INTEGER,
    attempts       INTEGER NOT NULL DEFAULT 0,
    last_outcome   TEXT,
    -- The last call was made, and failed.
    failed_at_ms   INTEGER,
    done_at_ms     INTEGER,
    -- The person who rotated by hand, or `service` where the hook took the call.
    done_by        TEXT CHECK (done_by <> ''),
    note           TEXT CHECK (note <> ''),

    -- Once for each grant and hook.
    UNIQUE (request_id, hook),
    CONSTRAINT owed_before_it_ends CHECK (
        owed_at_ms IS NOT NULL OR (failed_at_ms IS NULL AND done_at_ms IS NULL AND tried_since_ms IS NULL)
    ),
    CONSTRAINT failed_or_done CHECK (failed_at_ms IS NULL OR done_at_ms IS NULL),
    CONSTRAINT goes_on_or_not CHECK (
        (next_at_ms IS NULL) = (failed_at_ms IS NOT NULL OR done_at_ms IS NOT NULL)
    ),
    CONSTRAINT done_is_whole CHECK ((done_at_ms IS NULL) = (done_by IS NULL))
) STRICT;

-- Each second the service looks for what has become owed, and for the calls that are due: not among all that ever were.
CREATE INDEX rotations_waiting ON rotations (next_at_ms) WHERE owed_at_ms IS NULL;
CREATE INDEX rotations_due ON rotations (hook, next_at_ms) WHERE owed_at_ms IS NOT NULL AND next_at_ms IS NOT NULL;
-- What is not done, among all that is.
CREATE INDEX rotations_open ON rotations (id) WHERE done_at_ms IS NULL;

-- Which rotations a person may see: `requester <name>` or `scope <name>`, as in `request_lists`.
CREATE TABLE rotation_lists (
    list        TEXT NOT NULL,
    rotation_id TEXT NOT NULL,
    PRIMARY KEY (list, rotation_id)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER rotations_listed AFTER INSERT ON rotations
BEGIN
    INSERT INTO rotation_lists (list, rotation_id)
    SELECT 'requester ' || requester, NEW.id FROM requests WHERE id = NEW.request_id
    UNION SELECT 'scope ' || value, NEW.id FROM json_each(NEW.scopes);
END;

CREATE TRIGGER rotations_begin_waiting BEFORE INSERT ON rotations
WHEN NEW.owed_at_ms IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a rotation is owed once its grant has ended');
END;

-- INSERT OR REPLACE would delete without the delete trigger.
CREATE TRIGGER rotations_not_replaced BEFORE INSERT ON rotations
WHEN EXISTS (SELECT 1 FROM rotations WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'rotations are kept');
END;

CREATE TRIGGER rotations_once BEFORE UPDATE ON rotations
WHEN OLD.done_at_ms IS NOT NULL
    OR OLD.owed_at_ms <> NEW.owed_at_ms OR (OLD.owed_at_ms IS NOT NULL AND NEW.owed_at_ms IS NULL)
    OR NEW.id <> OLD.id OR NEW.request_id <> OLD.request_id OR NEW.jti <> OLD.jti OR NEW.hook <> OLD.hook
    OR NEW.scopes <> OLD.scopes
BEGIN
    SELECT RAISE(ABORT, 'a rotation is owed once, and done once');
END;

CREATE TRIGGER rotations_kept BEFORE DELETE ON rotations
BEGIN
    SELECT RAISE(ABORT, 'rotations are kept');
END;

CREATE TRIGGER rotation_lists_kept BEFORE DELETE ON rotation_lists
BEGIN
    SELECT RAISE(ABORT, 'rotations are kept');
END;

-- By whatever path a grant is revoked, what it owes is found.
CREATE TRIGGER rotations_of_revoked AFTER INSERT ON revocations
BEGIN
    UPDATE rotations SET next_at_ms = 0
    WHERE request_id = (SELECT id FROM requests WHERE jti = NEW.jti) AND owed_at_ms IS NULL;
END;

-- The trail has more words.
CREATE TABLE audit_after (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms      INTEGER NOT NULL,
    actor      TEXT NOT NULL,
    action     TEXT NOT NULL CHECK (
        action IN ('submit', 'question', 'answer', 'approve', 'deny', 'cancel', 'lapse', 'issue_token', 'remind', 'expire', 'revoke', 'rotation_owed', 'rotation_failed', 'rotation_retried', 'rotation_done')
    ),
    request_id TEXT NOT NULL REFERENCES requests (id),
    jti        TEXT,
    detail     TEXT NOT NULL CHECK (json_valid(detail))
) STRICT;

INSERT INTO audit_after (seq, at_ms, actor, action, request_id, jti, detail)
SELECT seq, at_ms, actor, action, request_id, jti, detail FROM audit ORDER BY seq;
DROP TABLE audit;
ALTER TABLE audit_after RENAME TO audit;

CREATE INDEX audit_by_request ON audit (request_id);

CREATE TRIGGER audit_not_replaced BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE seq = NEW.seq)
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;

CREATE TRIGGER audit_not_updated BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;

CREATE TRIGGER audit_not_deleted BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
