-- A person who took no part looks at a used grant once it has ended, where a rule that matched it asks for that.

CREATE TABLE reviews (
    id             TEXT PRIMARY KEY NOT NULL,
    -- One for each grant.
    request_id     TEXT NOT NULL UNIQUE REFERENCES requests (id),
    jti            TEXT NOT NULL,
    requester      TEXT NOT NULL,
    -- As they were when the first token was taken: the grant's scopes, the rules that ask for the review, the shortest time that
    -- one of them gives, and whether an overdue review has the requester's next emergency wait for an approval.
    scopes         TEXT NOT NULL CHECK (json_array_length(scopes) > 0),
    rules          TEXT NOT NULL CHECK (json_array_length(rules) > 0),
    within_s       INTEGER NOT NULL CHECK (within_s > 0),
    needs_approval INTEGER NOT NULL CHECK (needs_approval IN (0, 1)),
    -- When the grant is over for every filter, in milliseconds; 0 once it was revoked.
    ends_at_ms     INTEGER NOT NULL,
    owed_at_ms     INTEGER,
    due_at_ms      INTEGER,
    -- When it was told that the deadline has passed.
    overdue_at_ms  INTEGER,
    decided_at_ms  INTEGER,
    decided_by     TEXT CHECK (decided_by <> ''),
    verdict        TEXT CHECK (verdict IN ('signed', 'disputed')),
    digest         TEXT CHECK (length(digest) = 64),
    note           TEXT CHECK (note <> ''),
    -- What the reviewer said of the log.
    log            TEXT CHECK (json_valid(log)),

    CONSTRAINT due_once_owed CHECK ((owed_at_ms IS NULL) = (due_at_ms IS NULL)),
    CONSTRAINT owed_before_it_ends CHECK (owed_at_ms IS NOT NULL OR (overdue_at_ms IS NULL AND decided_at_ms IS NULL)),
    CONSTRAINT decided_is_whole CHECK (
        (decided_at_ms IS NULL) = (decided_by IS NULL) AND (decided_at_ms IS NULL) = (verdict IS NULL)
        AND (decided_at_ms IS NULL) = (digest IS NULL) AND (decided_at_ms IS NOT NULL OR (note IS NULL AND log IS NULL))
    ),
    CONSTRAINT a_dispute_says_why CHECK (verdict IS NOT 'disputed' OR note IS NOT NULL),
    CONSTRAINT by_another_person CHECK (decided_by IS NOT requester)
) STRICT;

-- Each second the service looks for what has become owed, and for deadlines that have passed: not among all that ever were.
CREATE INDEX reviews_waiting ON reviews (ends_at_ms) WHERE owed_at_ms IS NULL;
CREATE INDEX reviews_due ON reviews (due_at_ms)
    WHERE owed_at_ms IS NOT NULL AND overdue_at_ms IS NULL AND decided_at_ms IS NULL;
-- What is not decided, among all that is.
CREATE INDEX reviews_open ON reviews (id) WHERE decided_at_ms IS NULL;
-- Whether the next emergency of a person waits for an approval.
CREATE INDEX reviews_holding_back ON reviews (requester, due_at_ms)
    WHERE needs_approval = 1 AND owed_at_ms IS NOT NULL AND decided_at_ms IS NULL;

-- What a person approved within a day of another's approval is read for each review: not all that the person ever approved.
CREATE INDEX approvals_by_approver ON approvals (approver, approved_at_ms);

-- Which reviews a person may see: `requester <name>` or `scope <name>`, as in `request_lists`.
CREATE TABLE review_lists (
    list      TEXT NOT NULL,
    review_id TEXT NOT NULL,
    PRIMARY KEY (list, review_id)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER reviews_listed AFTER INSERT ON reviews
BEGIN
    INSERT INTO review_lists (list, review_id)
    SELECT 'requester ' || NEW.requester, NEW.id UNION SELECT 'scope ' || value, NEW.id FROM json_each(NEW.scopes);
END;

CREATE TRIGGER reviews_begin_waiting BEFORE INSERT ON reviews
WHEN NEW.owed_at_ms IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a review is owed once its grant has ended');
END;

-- INSERT OR REPLACE would delete without the delete trigger.
CREATE TRIGGER reviews_not_replaced BEFORE INSERT ON reviews
WHEN EXISTS (SELECT 1 FROM reviews WHERE id = NEW.id OR request_id = NEW.request_id)
BEGIN
    SELECT RAISE(ABORT, 'reviews are kept');
END;

CREATE TRIGGER reviews_once BEFORE UPDATE ON reviews
WHEN OLD.decided_at_ms IS NOT NULL
    OR OLD.id <> NEW.id OR OLD.request_id <> NEW.request_id OR OLD.jti <> NEW.jti OR OLD.requester <> NEW.requester
    OR OLD.scopes <> NEW.scopes OR OLD.rules <> NEW.rules OR OLD.within_s <> NEW.within_s
    OR OLD.needs_approval <> NEW.needs_approval
    OR (OLD.owed_at_ms IS NOT NULL AND (OLD.owed_at_ms IS NOT NEW.owed_at_ms OR OLD.due_at_ms IS NOT NEW.due_at_ms))
    OR (OLD.overdue_at_ms IS NOT NULL AND OLD.overdue_at_ms IS NOT NEW.overdue_at_ms)
BEGIN
    SELECT RAISE(ABORT, 'a review is owed once, overdue once, and decided once');
END;

-- As for approvals, the approvers of the grant are no reviewers of it.
CREATE TRIGGER reviews_by_those_who_took_no_part BEFORE UPDATE ON reviews
WHEN NEW.decided_by IS NOT NULL
    AND EXISTS (SELECT 1 FROM approvals WHERE request_id = NEW.request_id AND approver = NEW.decided_by)
BEGIN
    SELECT RAISE(ABORT, 'a review is decided by a person who took no part');
END;

CREATE TRIGGER reviews_kept BEFORE DELETE ON reviews
BEGIN
    SELECT RAISE(ABORT, 'reviews are kept');
END;

CREATE TRIGGER review_lists_kept BEFORE DELETE ON review_lists
BEGIN
    SELECT RAISE(ABORT, 'reviews are kept');
END;

-- By whatever path a grant is revoked, its review is found.
CREATE TRIGGER reviews_of_revoked AFTER INSERT ON revocations
BEGIN
    UPDATE reviews SET ends_at_ms = 0
    WHERE request_id = (SELECT id FROM requests WHERE jti = NEW.jti) AND owed_at_ms IS NULL;
END;

-- The trail has more words.
CREATE TABLE audit_after (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms      INTEGER NOT NULL,
    actor      TEXT NOT NULL,
    action     TEXT NOT NULL CHECK (
        action IN ('submit', 'question', 'answer', 'approve', 'take_emergency', 'deny', 'cancel', 'lapse', 'issue_token', 'remind', 'expire', 'revoke', 'rotation_owed', 'rotation_failed', 'rotation_retried', 'rotation_done', 'review_owed', 'review_overdue', 'review_signed', 'review_disputed')
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
