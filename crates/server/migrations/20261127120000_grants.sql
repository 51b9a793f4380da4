-- Approvals are rows; a grant may be less than what was asked for, ends when its last approval says, and has to be taken
-- in time. A table's rules cannot be changed in SQLite: `requests`, `audit` and `request_lists` are made anew, with all
-- that is in them.

-- What refers to `requests` finds its row again before the end of this transaction.
PRAGMA defer_foreign_keys = ON;

CREATE TABLE requests_before AS SELECT * FROM requests;
DROP TABLE requests;

CREATE TABLE requests (
    id               TEXT PRIMARY KEY NOT NULL,

    -- What was asked for: frozen at submission.
    requester        TEXT NOT NULL,
    requester_roles  TEXT NOT NULL CHECK (json_valid(requester_roles)),
    requester_groups TEXT NOT NULL CHECK (json_valid(requester_groups)),
    -- The credential that submitted it: SHA-256 over the configured `token_sha256`. The token is issued to no other one.
    -- Requests of the first version have none.
    submitted_with   BLOB CHECK (length(submitted_with) = 32),
    audience         TEXT NOT NULL,
    scopes           TEXT NOT NULL CHECK (json_array_length(scopes) > 0),
    -- The digests of the rules of these scopes, by their names, of those that were defined.
    scope_digests    TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(scope_digests) AND json_type(scope_digests) = 'object'),
    reason           TEXT NOT NULL CHECK (reason <> ''),
    incident         TEXT,
    emergency        INTEGER NOT NULL CHECK (emergency IN (0, 1)),
    duration_s       INTEGER NOT NULL CHECK (duration_s > 0),
    -- The request whose grant this one goes on with.
    extends          TEXT REFERENCES requests (id),
    submitted_at     INTEGER NOT NULL,
    lapses_at        INTEGER NOT NULL CHECK (lapses_at > submitted_at),

    -- What became of it: at most one of the three, and then never again.
    approved_at      INTEGER,
    denied_at        INTEGER,
    denied_by        TEXT,
    denial_reason    TEXT,
    cancelled_at     INTEGER,
    -- It was not decided in time, or what was approved was not taken in time. Before this is written it follows from
    -- `lapses_at` and `activate_by`; from then on no clock that goes back revives it.
    lapsed_at        INTEGER,

    -- The grant: fixed by the last approval.
    jti              TEXT UNIQUE,
    granted_scopes   TEXT CHECK (json_array_length(granted_scopes) > 0),
    expires_at       INTEGER,
    -- Until when its first token has to be taken; no end for grants of the version before.
    activate_by      INTEGER CHECK (activate_by > approved_at AND activate_by <= expires_at),
    -- When its first token was taken.
    activated_at     INTEGER,

    CONSTRAINT self_denial CHECK (denied_by <> requester),
    CONSTRAINT one_decision CHECK (
        (approved_at IS NOT NULL) + (denied_at IS NOT NULL) + (cancelled_at IS NOT NULL) <= 1
    ),
    CONSTRAINT grant_is_whole CHECK (
        (approved_at IS NULL) = (jti IS NULL)
        AND (approved_at IS NULL) = (granted_scopes IS NULL)
        AND (approved_at IS NULL) = (expires_at IS NULL)
        AND (approved_at IS NOT NULL OR (activate_by IS NULL AND activated_at IS NULL))
    ),
    CONSTRAINT denial_is_whole CHECK (
        (denied_at IS NULL) = (denied_by IS NULL)
        AND (denied_at IS NULL) = (denial_reason IS NULL)
    ),
    CONSTRAINT approved_before_lapse CHECK (approved_at < lapses_at),
    CONSTRAINT no_longer_than_asked_for CHECK (
        expires_at > approved_at AND expires_at <= approved_at + duration_s
    ),
    CONSTRAINT lapsed_or_decided CHECK (
        lapsed_at IS NULL OR (denied_at IS NULL AND cancelled_at IS NULL AND activated_at IS NULL)
    )
) STRICT;

-- For the foreign key: each row that comes looks for those that refer to it, also the rows that are put back here.
CREATE INDEX requests_by_extended ON requests (extends) WHERE extends IS NOT NULL;

INSERT INTO requests (
    id, requester, requester_roles, requester_groups, submitted_with, audience, scopes, scope_digests, reason, incident,
    emergency, duration_s, submitted_at, lapses_at, approved_at, denied_at, denied_by, denial_reason, cancelled_at,
    lapsed_at, jti, granted_scopes, expires_at, activated_at)
SELECT id, requester, requester_roles, requester_groups, submitted_with, audience, scopes, scope_digests, reason, incident,
    emergency, duration_s, submitted_at, lapses_at, approved_at, denied_at, denied_by, denial_reason, cancelled_at,
    lapsed_at, jti, CASE WHEN jti IS NOT NULL THEN scopes END, expires_at,
    (SELECT min(at_ms) / 1000 FROM audit WHERE request_id = requests_before.id AND action = 'issue_token')
FROM requests_before;

-- One row for each approval, in the order in which they came.
CREATE TABLE approvals (
    request_id     TEXT NOT NULL REFERENCES requests (id),
    position       INTEGER NOT NULL CHECK (position > 0),
    approver       TEXT NOT NULL CHECK (approver <> ''),
    approved_at_ms INTEGER NOT NULL,
    -- The digest of the request as the approver was shown it; none of the version before.
    digest         TEXT CHECK (length(digest) = 64),
    note           TEXT CHECK (note <> ''),
    -- What was narrowed: fewer scopes, a shorter time; nothing where it is as asked for.
    scopes         TEXT CHECK (json_array_length(scopes) > 0),
    duration_s     INTEGER CHECK (duration_s > 0),
    PRIMARY KEY (request_id, position),
    UNIQUE (request_id, approver)
) STRICT, WITHOUT ROWID;

INSERT INTO approvals (request_id, position, approver, approved_at_ms, digest)
SELECT id, 1, approved_by,
    coalesce((SELECT at_ms FROM audit WHERE request_id = requests_before.id AND action = 'approve'), approved_at * 1000),
    (SELECT json_extract(detail, '$.digest') FROM audit WHERE request_id = requests_before.id AND action = 'approve')
FROM requests_before WHERE approved_by IS NOT NULL;

DROP TABLE requests_before;

-- What approvers ask, and what the requester answers, while a request waits.
CREATE TABLE discussion (
    request_id TEXT NOT NULL REFERENCES requests (id),
    position   INTEGER NOT NULL CHECK (position > 0),
    at_ms      INTEGER NOT NULL,
    author     TEXT NOT NULL CHECK (author <> ''),
    kind       TEXT NOT NULL CHECK (kind IN ('question', 'answer')),
    text       TEXT NOT NULL CHECK (text <> ''),
    PRIMARY KEY (request_id, position)
) STRICT, WITHOUT ROWID;

-- What a person asked for, and what was asked for in an incident, in pages by the id.
CREATE INDEX requests_by_requester ON requests (requester, id);
CREATE INDEX requests_by_incident ON requests (incident, id) WHERE incident IS NOT NULL;
-- The kill switch looks at what has not ended, not at all that ever was.
CREATE INDEX requests_by_end ON requests (expires_at) WHERE jti IS NOT NULL;
-- Each second the service looks for what has lapsed: among what waits, not among all that ever was.
CREATE INDEX requests_waiting ON requests (lapses_at)
WHERE approved_at IS NULL AND denied_at IS NULL AND cancelled_at IS NULL AND lapsed_at IS NULL;
CREATE INDEX requests_waiting_by_submission ON requests (submitted_at)
WHERE approved_at IS NULL AND denied_at IS NULL AND cancelled_at IS NULL AND lapsed_at IS NULL;
CREATE INDEX requests_not_activated ON requests (activate_by)
WHERE activate_by IS NOT NULL AND activated_at IS NULL AND lapsed_at IS NULL;
-- A person's pending requests are counted at each submission.
CREATE INDEX requests_undecided ON requests (requester, lapses_at)
    WHERE approved_at IS NULL AND denied_at IS NULL AND cancelled_at IS NULL;

CREATE TRIGGER requests_start_undecided BEFORE INSERT ON requests
WHEN NEW.approved_at IS NOT NULL OR NEW.denied_at IS NOT NULL OR NEW.cancelled_at IS NOT NULL
    OR NEW.lapsed_at IS NOT NULL
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
    id, requester, requester_roles, requester_groups, submitted_with, audience, scopes, scope_digests, reason, incident,
    emergency, duration_s, extends, submitted_at, lapses_at ON requests
BEGIN
    SELECT RAISE(ABORT, 'a request is frozen at submission');
END;

CREATE TRIGGER requests_decided_once BEFORE UPDATE OF
    approved_at, denied_at, denied_by, denial_reason, cancelled_at, jti, granted_scopes, expires_at, activate_by ON requests
WHEN OLD.approved_at IS NOT NULL OR OLD.denied_at IS NOT NULL OR OLD.cancelled_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a request is decided once');
END;

CREATE TRIGGER requests_lapsed_for_good BEFORE UPDATE ON requests
WHEN OLD.lapsed_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a request that lapsed is never decided');
END;

CREATE TRIGGER requests_activated_once BEFORE UPDATE OF activated_at ON requests
WHEN OLD.activated_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a grant is activated once');
END;

CREATE TRIGGER requests_granted_by_approval BEFORE UPDATE OF approved_at ON requests
WHEN NEW.approved_at IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM approvals WHERE request_id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'no grant without an approval');
END;

CREATE TRIGGER requests_no_wider_than_asked_for BEFORE UPDATE OF granted_scopes ON requests
WHEN EXISTS (
    SELECT value FROM json_each(NEW.granted_scopes)
    WHERE value NOT IN (SELECT value FROM json_each(NEW.scopes)))
BEGIN
    SELECT RAISE(ABORT, 'no scope is granted that was not asked for');
END;

CREATE TRIGGER requests_kept BEFORE DELETE ON requests
BEGIN
    SELECT RAISE(ABORT, 'requests are kept');
END;

-- A row that another program adds has its names here too.
CREATE TRIGGER requests_have_names AFTER INSERT ON requests
BEGIN
    INSERT INTO folded_names (name, tables)
    SELECT named.name, '' FROM (SELECT NEW.requester AS name UNION SELECT NEW.incident) AS named
    WHERE named.name IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM folded_names AS known WHERE known.name = named.name);
END;

-- The constraint `self_denial` compares byte for byte, and a CHECK cannot fold. The program folds the name of who decides
-- in the same transaction; of another one's names SQLite folds what it can.
CREATE TRIGGER requests_self_denial BEFORE UPDATE OF denied_by ON requests
WHEN coalesce((SELECT case_first FROM folded_names WHERE name = OLD.requester),
        lower(trim(OLD.requester)))
    = coalesce((SELECT case_first FROM folded_names WHERE name = NEW.denied_by),
        lower(trim(NEW.denied_by)))
    OR (SELECT looks_first FROM folded_names WHERE name = OLD.requester)
        = (SELECT looks_first FROM folded_names WHERE name = NEW.denied_by)
BEGIN
    SELECT RAISE(ABORT, 'self_denial: the requester in another spelling denies');
END;

CREATE TRIGGER approvals_self_approval BEFORE INSERT ON approvals
WHEN EXISTS (
    SELECT 1 FROM requests WHERE id = NEW.request_id AND (
        requester = NEW.approver
        OR coalesce((SELECT case_first FROM folded_names WHERE name = requester), lower(trim(requester)))
            = coalesce((SELECT case_first FROM folded_names WHERE name = NEW.approver), lower(trim(NEW.approver)))
        OR (SELECT looks_first FROM folded_names WHERE name = requester)
            = (SELECT looks_first FROM folded_names WHERE name = NEW.approver)))
BEGIN
    SELECT RAISE(ABORT, 'self_approval: the requester approves');
END;

CREATE TRIGGER approvals_of_pending BEFORE INSERT ON approvals
WHEN NOT EXISTS (
    SELECT 1 FROM requests WHERE id = NEW.request_id AND approved_at IS NULL AND denied_at IS NULL
        AND cancelled_at IS NULL AND lapsed_at IS NULL)
BEGIN
    SELECT RAISE(ABORT, 'only a pending request is approved');
END;

-- INSERT OR REPLACE would delete without the delete trigger.
CREATE TRIGGER approvals_not_replaced BEFORE INSERT ON approvals
WHEN EXISTS (
    SELECT 1 FROM approvals WHERE request_id = NEW.request_id
        AND (position = NEW.position OR approver = NEW.approver))
BEGIN
    SELECT RAISE(ABORT, 'a person approves a request once');
END;

CREATE TRIGGER approvals_final BEFORE UPDATE ON approvals
BEGIN
    SELECT RAISE(ABORT, 'an approval is final');
END;

CREATE TRIGGER approvals_kept BEFORE DELETE ON approvals
BEGIN
    SELECT RAISE(ABORT, 'approvals are kept');
END;

CREATE TRIGGER discussion_not_replaced BEFORE INSERT ON discussion
WHEN EXISTS (SELECT 1 FROM discussion WHERE request_id = NEW.request_id AND position = NEW.position)
BEGIN
    SELECT RAISE(ABORT, 'what was said is kept');
END;

CREATE TRIGGER discussion_final BEFORE UPDATE ON discussion
BEGIN
    SELECT RAISE(ABORT, 'what was said is kept');
END;

CREATE TRIGGER discussion_kept BEFORE DELETE ON discussion
BEGIN
    SELECT RAISE(ABORT, 'what was said is kept');
END;

-- The trail has more words.
CREATE TABLE audit_before AS SELECT * FROM audit;
DROP TABLE audit;

CREATE TABLE audit (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms      INTEGER NOT NULL,
    actor      TEXT NOT NULL,
    action     TEXT NOT NULL CHECK (
        action IN ('submit', 'question', 'answer', 'approve', 'deny', 'cancel', 'lapse', 'issue_token', 'revoke')
    ),
    request_id TEXT NOT NULL REFERENCES requests (id),
    jti        TEXT,
    detail     TEXT NOT NULL CHECK (json_valid(detail))
) STRICT;

INSERT INTO audit (seq, at_ms, actor, action, request_id, jti, detail)
SELECT seq, at_ms, actor, action, request_id, jti, detail FROM audit_before ORDER BY seq;
DROP TABLE audit_before;

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

-- Which requests a person may see, as lists that are walked from the newest request on. Without them a list of a scope
-- reads every request, because no index reaches into an array in JSON, and so does a list of a state, because it follows
-- from several columns and from another table.
DROP TABLE request_lists;
-- It was on a table that stays.
DROP TRIGGER requests_listed_as_revoked;

CREATE TABLE request_lists (
    -- `requester <name>` or `scope <name>`: a request is on the list of its requester and of each of its scopes.
    list       TEXT NOT NULL,
    phase      TEXT NOT NULL CHECK (
        phase IN ('undecided', 'approved', 'active', 'denied', 'cancelled', 'revoked')
    ),
    -- Ids sort by the time of submission.
    request_id TEXT NOT NULL,
    -- When the phase ends by itself: an undecided request lapses, an approved one too where it is not activated, an active
    -- one expires. 0 where the request is marked as lapsed: it stays so, whatever the clock says.
    ends_at    INTEGER NOT NULL,
    PRIMARY KEY (list, phase, request_id)
) STRICT, WITHOUT ROWID;

-- What is pending, and what is live, among all that has lapsed and expired.
CREATE INDEX request_lists_by_end ON request_lists (list, phase, ends_at)
    WHERE phase IN ('undecided', 'approved', 'active');

WITH known AS (
    SELECT id, requester, scopes,
        CASE WHEN lapsed_at IS NOT NULL THEN 0 ELSE coalesce(expires_at, lapses_at) END AS ends_at,
        CASE
            WHEN denied_at IS NOT NULL THEN 'denied'
            WHEN cancelled_at IS NOT NULL THEN 'cancelled'
            WHEN approved_at IS NULL THEN 'undecided'
            WHEN EXISTS (SELECT 1 FROM revocations WHERE revocations.jti = requests.jti)
                THEN 'revoked'
            -- Of the version before: it does not have to be activated.
            ELSE 'active'
        END AS phase
    FROM requests
)
INSERT INTO request_lists (list, phase, request_id, ends_at)
SELECT 'requester ' || known.requester, known.phase, known.id, known.ends_at FROM known
UNION ALL
SELECT 'scope ' || named.value, known.phase, known.id, known.ends_at
FROM known JOIN json_each(known.scopes) AS named
WHERE true
ON CONFLICT DO NOTHING;

CREATE TRIGGER requests_listed AFTER INSERT ON requests
BEGIN
    INSERT INTO request_lists (list, phase, request_id, ends_at)
    SELECT 'requester ' || NEW.requester, 'undecided', NEW.id, NEW.lapses_at
    UNION
    SELECT 'scope ' || value, 'undecided', NEW.id, NEW.lapses_at FROM json_each(NEW.scopes);
END;

CREATE TRIGGER requests_listed_as_decided
AFTER UPDATE OF approved_at, denied_at, cancelled_at ON requests
BEGIN
    UPDATE request_lists
    SET phase = CASE
            WHEN NEW.denied_at IS NOT NULL THEN 'denied'
            WHEN NEW.cancelled_at IS NOT NULL THEN 'cancelled'
            WHEN NEW.activate_by IS NOT NULL THEN 'approved'
            WHEN NEW.approved_at IS NOT NULL THEN 'active'
            ELSE 'undecided'
        END,
        ends_at = coalesce(NEW.activate_by, NEW.expires_at, NEW.lapses_at)
    WHERE list IN (
            SELECT 'requester ' || NEW.requester
            UNION ALL SELECT 'scope ' || value FROM json_each(NEW.scopes))
        AND phase = 'undecided' AND request_id = NEW.id;
END;

CREATE TRIGGER requests_listed_as_active AFTER UPDATE OF activated_at ON requests
WHEN NEW.activated_at IS NOT NULL
BEGIN
    UPDATE request_lists SET phase = 'active', ends_at = NEW.expires_at
    WHERE list IN (
            SELECT 'requester ' || NEW.requester
            UNION ALL SELECT 'scope ' || value FROM json_each(NEW.scopes))
        AND phase = 'approved' AND request_id = NEW.id;
END;

CREATE TRIGGER requests_listed_as_lapsed AFTER UPDATE OF lapsed_at ON requests
WHEN NEW.lapsed_at IS NOT NULL
BEGIN
    UPDATE request_lists SET ends_at = 0
    WHERE list IN (
            SELECT 'requester ' || NEW.requester
            UNION ALL SELECT 'scope ' || value FROM json_each(NEW.scopes))
        AND phase IN ('undecided', 'approved') AND request_id = NEW.id;
END;

CREATE TRIGGER requests_listed_as_revoked AFTER INSERT ON revocations
BEGIN
    UPDATE request_lists SET phase = 'revoked'
    WHERE list IN (
            SELECT 'requester ' || requester FROM requests WHERE jti = NEW.jti
            UNION ALL
            SELECT 'scope ' || named.value FROM requests JOIN json_each(scopes) AS named
            WHERE jti = NEW.jti)
        AND phase IN ('approved', 'active')
        AND request_id = (SELECT id FROM requests WHERE jti = NEW.jti);
END;

-- What is revoked waits for no token any more: it goes from the index of what does.
CREATE TRIGGER requests_revoked_before_activation AFTER INSERT ON revocations
BEGIN
    UPDATE requests SET lapsed_at = NEW.revoked_at_ms / 1000
    WHERE jti = NEW.jti AND activate_by IS NOT NULL AND activated_at IS NULL AND lapsed_at IS NULL;
END;

CREATE TRIGGER request_lists_forward BEFORE UPDATE ON request_lists
WHEN NEW.list <> OLD.list OR NEW.request_id <> OLD.request_id
    OR OLD.phase NOT IN ('undecided', 'approved', 'active')
    OR (OLD.phase = 'approved' AND NEW.phase NOT IN ('approved', 'active', 'revoked'))
    OR (OLD.phase = 'active' AND NEW.phase <> 'revoked')
BEGIN
    SELECT RAISE(ABORT, 'a request stays on its lists');
END;

CREATE TRIGGER request_lists_kept BEFORE DELETE ON request_lists
BEGIN
    SELECT RAISE(ABORT, 'a request stays on its lists');
END;
