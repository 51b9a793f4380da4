-- The tables of the version before there were a clock, lists and credentials of requests, as `sqlite3 .dump` prints a
-- database that its `breakglass serve` made. Then come the rows of one of such databases (clock.sql, lists.sql,
-- people.sql), which it made too, and then its indexes and triggers (rules.sql).
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
INSERT INTO _sqlx_migrations VALUES(20261122000000,'requests revocations audit','2026-11-26 12:07:35',1,X'1627372f5fc5c3742f3d5763a4f58bb09b758c3de8f3f0cd589054424200b2a1132f148c2166ee65602099106d6a7bea',1868510);
INSERT INTO _sqlx_migrations VALUES(20261122120000,'feed','2026-11-26 12:07:35',1,X'd4ec495cabd25e67f0aff18a5299a91fec4b39926d7a82373676be411a69a3806da7ded814515e26f572e28732ee5c1a',578030);
INSERT INTO _sqlx_migrations VALUES(20261122120100,'kill switch','2026-11-26 12:07:35',1,X'cf3bfb00d792b3353c9af46275db6af10e8de53b5652ca88219902aad8867967f12373ae7f474fca40078d4a2f51b18a',535526);
INSERT INTO _sqlx_migrations VALUES(20261122130000,'audit heads','2026-11-26 12:07:35',1,X'607ce6b1456f7d674801da0e0ae39032a10b0966685e058c21002be27c91518d4145493274ebbde121106651a582ee28',1050814);
INSERT INTO _sqlx_migrations VALUES(20261126090000,'head owners','2026-11-26 12:07:35',1,X'f128d414e6433702851650544faa1628ac2c1fe80832aafc84b344bb878c2c14b5798a0b7a5133332e165f0262f09632',2683232);
INSERT INTO _sqlx_migrations VALUES(20261126120000,'service trail','2026-11-26 12:07:35',1,X'4ddaede5b66012af2d79ab98e162013ec6bb46cbb30912765de31a1d27fbca6274b3bef76efafaef55a884c39011a978',939278);
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
CREATE TABLE feed (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    id       TEXT NOT NULL CHECK (id <> '')
) STRICT;
CREATE TABLE audit_heads (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    reported_at_ms INTEGER NOT NULL,
    -- Whose credential, and what it calls itself.
    proxy          TEXT NOT NULL,
    node           TEXT NOT NULL,
    chain          TEXT NOT NULL CHECK (length(chain) = 32),
    seq            INTEGER NOT NULL CHECK (seq > 0),
    hash           TEXT NOT NULL CHECK (length(hash) = 64),
    -- When the VM began the chain, by the proxy's clock.
    began          TEXT NOT NULL,
    ended          INTEGER NOT NULL CHECK (ended IN (0, 1)),
    -- How many records each grant has in the chain so far, where that has changed.
    grants         TEXT NOT NULL CHECK (json_valid(grants)),
    -- What it contradicts.
    conflict       TEXT CHECK (
        conflict IN ('other_hash', 'goes_back', 'after_end', 'other_node')
    )
, process TEXT CHECK (length(process) = 32)) STRICT;
CREATE TABLE audit_chain_owners (
    id     INTEGER PRIMARY KEY,
    chain  TEXT NOT NULL CHECK (length(chain) = 32),
    owner  TEXT NOT NULL,
    proven INTEGER NOT NULL CHECK (proven IN (0, 1)),
    UNIQUE (chain, owner)
) STRICT;
CREATE TABLE audit_reporters (
    id         INTEGER PRIMARY KEY,
    chain      TEXT NOT NULL,
    proxy      TEXT NOT NULL,
    node       TEXT NOT NULL,
    -- The head with the highest number; of several, the one that was reported last.
    head_id    INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    -- When that head was last reported. A repeated head adds no row to audit_heads.
    seen_at_ms INTEGER NOT NULL,
    -- The reports in audit_heads: the first, the last, and how many.
    first_ms   INTEGER NOT NULL,
    last_ms    INTEGER NOT NULL,
    heads      INTEGER NOT NULL,
    -- The lowest number at which the chain was said to be over.
    ended_seq  INTEGER,
    UNIQUE (chain, proxy, node)
) STRICT;
CREATE TABLE audit_reporter_grants (
    reporter INTEGER NOT NULL,
    grant_id TEXT NOT NULL,
    count    INTEGER NOT NULL,
    PRIMARY KEY (reporter, grant_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE service_trail (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms  INTEGER NOT NULL,
    -- A person's name, or `service` where the service acted by itself.
    actor  TEXT NOT NULL CHECK (actor <> ''),
    action TEXT NOT NULL CHECK (action <> ''),
    detail TEXT NOT NULL CHECK (json_valid(detail))
) STRICT;
DELETE FROM sqlite_sequence;
