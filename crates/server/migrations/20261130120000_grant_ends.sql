-- The requester is told when five minutes of a grant are left, and when its time is over: once each, whatever a clock does
-- later. Both are in seconds.
ALTER TABLE requests ADD COLUMN reminded_at INTEGER;
-- 0 where nothing is told: the grant was revoked before, or its time was over before this version.
ALTER TABLE requests ADD COLUMN expired_at INTEGER;

-- What was over when the service of the version before last wrote down the time, or last did something.
UPDATE requests SET expired_at = 0
WHERE jti IS NOT NULL AND lapsed_at IS NULL AND expires_at <= (
    SELECT max(coalesce((SELECT newest_ms FROM clock), 0), coalesce((SELECT max(at_ms) FROM audit), 0)) / 1000);

-- Each second the service looks for what ends: among grants whose end was not noted, not among all that ever were.
CREATE INDEX requests_ending ON requests (expires_at)
WHERE activated_at IS NOT NULL AND reminded_at IS NULL AND expired_at IS NULL;
CREATE INDEX requests_expiring ON requests (expires_at)
WHERE jti IS NOT NULL AND lapsed_at IS NULL AND expired_at IS NULL;

CREATE TRIGGER requests_reminded_once BEFORE UPDATE OF reminded_at ON requests
WHEN OLD.reminded_at IS NOT NULL OR OLD.expired_at IS NOT NULL OR NEW.activated_at IS NULL
BEGIN
    SELECT RAISE(ABORT, 'the end of a grant that is used is told before, once');
END;

CREATE TRIGGER requests_expired_once BEFORE UPDATE OF expired_at ON requests
WHEN OLD.expired_at IS NOT NULL OR NEW.jti IS NULL
BEGIN
    SELECT RAISE(ABORT, 'the end of a grant is told once');
END;

CREATE TRIGGER requests_end_undecided BEFORE INSERT ON requests
WHEN NEW.reminded_at IS NOT NULL OR NEW.expired_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a request is submitted before it ends');
END;

-- The trail has more words.
CREATE TABLE audit_after (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms      INTEGER NOT NULL,
    actor      TEXT NOT NULL,
    action     TEXT NOT NULL CHECK (
        action IN ('submit', 'question', 'answer', 'approve', 'deny', 'cancel', 'lapse', 'issue_token', 'remind', 'expire', 'revoke')
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
