-- A database of the version before chains had owners, as `sqlite3 .dump` prints it: its `breakglass serve`
-- made it of seven reports.
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
INSERT INTO _sqlx_migrations VALUES(20261122000000,'requests revocations audit','2026-11-26 09:16:22',1,X'1627372f5fc5c3742f3d5763a4f58bb09b758c3de8f3f0cd589054424200b2a1132f148c2166ee65602099106d6a7bea',3772202);
INSERT INTO _sqlx_migrations VALUES(20261122120000,'feed','2026-11-26 09:16:22',1,X'd4ec495cabd25e67f0aff18a5299a91fec4b39926d7a82373676be411a69a3806da7ded814515e26f572e28732ee5c1a',5197151);
INSERT INTO _sqlx_migrations VALUES(20261122120100,'kill switch','2026-11-26 09:16:22',1,X'cf3bfb00d792b3353c9af46275db6af10e8de53b5652ca88219902aad8867967f12373ae7f474fca40078d4a2f51b18a',3108945);
INSERT INTO _sqlx_migrations VALUES(20261122130000,'audit heads','2026-11-26 09:16:22',1,X'607ce6b1456f7d674801da0e0ae39032a10b0966685e058c21002be27c91518d4145493274ebbde121106651a582ee28',2589322);
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
INSERT INTO feed VALUES(1,'d94c6841d0404a559b6860eae0e857f9');
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
) STRICT;
INSERT INTO audit_heads VALUES(1,1795684582526,'envoy','n1','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',3,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','2026-11-22T02:12:59.5Z',0,'{"g1":2}',NULL);
INSERT INTO audit_heads VALUES(2,1795684582527,'envoy','n1','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',5,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','2026-11-22T02:12:59.5Z',0,'{"g1":3,"g2":1}',NULL);
INSERT INTO audit_heads VALUES(3,1795684582528,'envoy','n1','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',4,'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','2026-11-22T02:12:59.5Z',0,'{"g3":1}','goes_back');
INSERT INTO audit_heads VALUES(4,1795684582530,'other','n2','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',9,'dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd','2026-11-22T02:12:59.5Z',0,'{"g1":9}','other_node');
INSERT INTO audit_heads VALUES(5,1795684582531,'envoy','n1','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',7,'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee','2026-11-22T02:12:59.5Z',1,'{}',NULL);
INSERT INTO audit_heads VALUES(6,1795684582532,'other','n2','0001020304050607d3c51138e79a428c',2,'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff','2026-11-22T02:12:59.5Z',0,'{}',NULL);
INSERT INTO audit_heads VALUES(7,1795684582533,'envoy','n1','0001020304050607d3c51138e79a428c',1,'0000000000000000000000000000000000000000000000000000000000000000','2026-11-22T02:12:59.5Z',0,'{"g4":1}','other_node');
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('audit_heads',7);
CREATE INDEX requests_by_requester ON requests (requester);
CREATE TRIGGER requests_start_undecided BEFORE INSERT ON requests
WHEN NEW.approved_at IS NOT NULL OR NEW.denied_at IS NOT NULL OR NEW.cancelled_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a request is submitted before it is decided');
END;
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
CREATE TRIGGER feed_kept BEFORE DELETE ON feed
BEGIN
    SELECT RAISE(ABORT, 'the feed has an id');
END;
CREATE INDEX requests_by_end ON requests (expires_at) WHERE jti IS NOT NULL;
CREATE INDEX audit_heads_by_chain ON audit_heads (chain, seq);
CREATE INDEX audit_heads_by_time ON audit_heads (reported_at_ms);
CREATE TRIGGER audit_heads_not_replaced BEFORE INSERT ON audit_heads
WHEN EXISTS (SELECT 1 FROM audit_heads WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'heads are append-only');
END;
CREATE TRIGGER audit_heads_not_updated BEFORE UPDATE ON audit_heads
BEGIN
    SELECT RAISE(ABORT, 'heads are append-only');
END;
CREATE TRIGGER audit_heads_not_deleted BEFORE DELETE ON audit_heads
BEGIN
    SELECT RAISE(ABORT, 'heads are append-only');
END;
CREATE INDEX requests_by_incident ON requests (incident) WHERE incident IS NOT NULL;
COMMIT;
