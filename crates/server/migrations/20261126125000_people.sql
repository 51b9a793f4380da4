-- Who asked, and under which spelling.

-- The names of people and incidents that requests have, each with its folded forms, which the program makes
-- (SQLite cannot): what refuses and what finds compares these, and what allows compares the names. `tables`
-- says which version of Unicode's tables they were made with; rows of another one are folded anew when the
-- service opens the database.
CREATE TABLE folded_names (
    name        TEXT PRIMARY KEY NOT NULL,
    tables      TEXT NOT NULL,
    case_first  TEXT,
    looks_first TEXT
) STRICT;

CREATE INDEX folded_names_by_case ON folded_names (case_first);
CREATE INDEX folded_names_by_looks ON folded_names (looks_first);
CREATE INDEX folded_names_by_tables ON folded_names (tables);

CREATE TRIGGER folded_names_same BEFORE UPDATE OF name ON folded_names
BEGIN
    SELECT RAISE(ABORT, 'names are kept');
END;

CREATE TRIGGER folded_names_kept BEFORE DELETE ON folded_names
BEGIN
    SELECT RAISE(ABORT, 'names are kept');
END;

INSERT INTO folded_names (name, tables)
SELECT name, '' FROM (
    SELECT requester AS name FROM requests
    UNION SELECT incident FROM requests
    UNION SELECT approved_by FROM requests
    UNION SELECT denied_by FROM requests
) WHERE name IS NOT NULL;

-- A row that another program adds has its names here too.
CREATE TRIGGER requests_have_names AFTER INSERT ON requests
BEGIN
    INSERT INTO folded_names (name, tables)
    SELECT named.name, '' FROM (SELECT NEW.requester AS name UNION SELECT NEW.incident) AS named
    WHERE named.name IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM folded_names AS known WHERE known.name = named.name);
END;

-- The constraints `self_approval` and `self_denial` compare byte for byte, and a CHECK cannot fold. The program
-- folds the name of who decides in the same transaction; of another one's names SQLite folds what it can.
CREATE TRIGGER requests_self_approval BEFORE UPDATE OF approved_by ON requests
WHEN coalesce((SELECT case_first FROM folded_names WHERE name = OLD.requester),
        lower(trim(OLD.requester)))
    = coalesce((SELECT case_first FROM folded_names WHERE name = NEW.approved_by),
        lower(trim(NEW.approved_by)))
    OR (SELECT looks_first FROM folded_names WHERE name = OLD.requester)
        = (SELECT looks_first FROM folded_names WHERE name = NEW.approved_by)
BEGIN
    SELECT RAISE(ABORT, 'self_approval: the approver is the requester in another spelling');
END;

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

-- The credential that submitted the request: SHA-256 over the configured `token_sha256`. The token is issued to
-- no other one. Requests of the version before have none.
ALTER TABLE requests ADD COLUMN submitted_with BLOB CHECK (length(submitted_with) = 32);

CREATE TRIGGER requests_credential_frozen BEFORE UPDATE OF submitted_with ON requests
BEGIN
    SELECT RAISE(ABORT, 'a request is frozen at submission');
END;

-- A person's pending requests are counted at each submission.
CREATE INDEX requests_undecided ON requests (requester, lapses_at)
    WHERE approved_at IS NULL AND denied_at IS NULL AND cancelled_at IS NULL;

-- Which submission is a repetition of which. No evidence: rows go when their time is over.
CREATE TABLE idempotency_keys (
    person         TEXT NOT NULL,
    -- As in `requests.submitted_with`.
    submitted_with BLOB NOT NULL CHECK (length(submitted_with) = 32),
    key            TEXT NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    body_sha256    BLOB NOT NULL CHECK (length(body_sha256) = 32),
    request_id     TEXT NOT NULL REFERENCES requests (id),
    expires_at     INTEGER NOT NULL,
    PRIMARY KEY (person, submitted_with, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_keys_by_end ON idempotency_keys (expires_at);
-- For the foreign key: a new request looks for rows that refer to it.
CREATE INDEX idempotency_keys_by_request ON idempotency_keys (request_id);

CREATE TRIGGER idempotency_keys_kept BEFORE UPDATE ON idempotency_keys
BEGIN
    SELECT RAISE(ABORT, 'a key stands for one request');
END;
