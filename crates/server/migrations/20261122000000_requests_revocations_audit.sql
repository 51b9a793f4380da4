-- What was asked for, what became of it, and the trail.
--
-- Instants are seconds since 1970 unless the name ends in _ms. What happened is the instant at
-- which it happened, never a flag. The rules that must hold whatever the program does are here.

CREATE TABLE requests (
    id               TEXT PRIMARY KEY NOT NULL,

    -- What was asked for: frozen at submission.
    requester        TEXT NOT NULL,
    requester_roles  TEXT NOT NULL CHECK (json_valid(requester_roles)),
    requester_groups TEXT NOT NULL CHECK (json_valid(requester_groups)),
    audience         TEXT NOT NULL,
    scopes           TEXT NOT NULL CHECK (json_array_length(scopes) > 0),
    reason           TEXT NOT NULL CHECK (reason <> ''),
    incident         TEXT,
    emergency        INTEGER NOT NULL CHECK (emergency IN (0, 1)),
    duration_s       INTEGER NOT NULL CHECK (duration_s > 0),
    submitted_at     INTEGER NOT NULL,
    lapses_at        INTEGER NOT NULL CHECK (lapses_at > submitted_at),

    -- What became of it: at most one of the three, and then never again.
    approved_at      INTEGER,
    approved_by      TEXT,
    jti              TEXT UNIQUE,
    expires_at       INTEGER,
    denied_at        INTEGER,
    denied_by        TEXT,
    denial_reason    TEXT,
    cancelled_at     INTEGER,

    CONSTRAINT self_approval CHECK (approved_by <> requester),
    CONSTRAINT self_denial CHECK (denied_by <> requester),
    CONSTRAINT one_decision CHECK (
        (approved_at IS NOT NULL) + (denied_at IS NOT NULL) + (cancelled_at IS NOT NULL) <= 1
    ),
    CONSTRAINT approval_is_whole CHECK (
        (approved_at IS NULL) = (approved_by IS NULL)
        AND (approved_at IS NULL) = (jti IS NULL)
        AND (approved_at IS NULL) = (expires_at IS NULL)
    ),
    CONSTRAINT denial_is_whole CHECK (
        (denied_at IS NULL) = (denied_by IS NULL)
        AND (denied_at IS NULL) = (denial_reason IS NULL)
    ),
    CONSTRAINT approved_before_lapse CHECK (approved_at < lapses_at),
    CONSTRAINT deadline_is_absolute CHECK (expires_at = approved_at + duration_s)
) STRICT;

CREATE INDEX requests_by_requester ON requests (requester);

CREATE TRIGGER requests_start_undecided BEFORE INSERT ON requests
WHEN NEW.approved_at IS NOT NULL OR NEW.denied_at IS NOT NULL OR NEW.cancelled_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a request is submitted before it is decided');
END;

-- INSERT OR REPLACE would delete without the delete trigger.
CREATE TRIGGER requests_not_replaced BEFORE INSERT ON requests
WHEN EXISTS (SELECT 1 FROM requests WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'a request is submitted once');
END;

CREATE TRIGGER requests_frozen BEFORE UPDATE OF
    id, requester, requester_roles, requester_groups, audience, scopes, reason, incident,
    emergency, duration_s, submitted_at, lapses_at ON requests
BEGIN
    SELECT RAISE(ABORT, 'a request is frozen at submission');
END;

CREATE TRIGGER requests_decided_once BEFORE UPDATE ON requests
WHEN OLD.approved_at IS NOT NULL OR OLD.denied_at IS NOT NULL OR OLD.cancelled_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a request is decided once');
END;

CREATE TRIGGER requests_kept BEFORE DELETE ON requests
BEGIN
    SELECT RAISE(ABORT, 'requests are kept');
END;

-- Revocations are kept for good: long after the grant's end and any clock skew.
CREATE TABLE revocations (
    -- The position in the feed. AUTOINCREMENT: it only ever grows.
    epoch         INTEGER PRIMARY KEY AUTOINCREMENT,
    jti           TEXT NOT NULL UNIQUE REFERENCES requests (jti),
    revoked_at_ms INTEGER NOT NULL,
    revoked_by    TEXT NOT NULL,
    reason        TEXT NOT NULL CHECK (reason <> ''),
    -- The grant's end: the feed lists what has not ended.
    expires_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX revocations_by_end ON revocations (expires_at);

CREATE TRIGGER revocations_not_replaced BEFORE INSERT ON revocations
WHEN EXISTS (SELECT 1 FROM revocations WHERE jti = NEW.jti OR epoch = NEW.epoch)
BEGIN
    SELECT RAISE(ABORT, 'a grant is revoked once');
END;

CREATE TRIGGER revocations_final BEFORE UPDATE ON revocations
BEGIN
    SELECT RAISE(ABORT, 'a revocation is final');
END;

CREATE TRIGGER revocations_kept BEFORE DELETE ON revocations
BEGIN
    SELECT RAISE(ABORT, 'revocations are kept');
END;

CREATE TABLE audit (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms      INTEGER NOT NULL,
    actor      TEXT NOT NULL,
    action     TEXT NOT NULL CHECK (
        action IN ('submit', 'approve', 'deny', 'cancel', 'issue_token', 'revoke')
    ),
    request_id TEXT NOT NULL REFERENCES requests (id),
    jti        TEXT,
    detail     TEXT NOT NULL CHECK (json_valid(detail))
) STRICT;

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
