-- A database of the version before requests knew their credential, as `sqlite3 .dump` prints it: its
-- `breakglass serve` made it of seven requests, one of them with names that a still older version took.
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
INSERT INTO requests VALUES('req_01M8BW212BFN65JH1Z3EJZ9BVG','alice','[]','["oncall"]','prod','["orders:read"]','pending','INC-7',0,86400,1795694855,1795781255,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO requests VALUES('req_01M8BW212H56YGSPK151ZDAG6N','alice','[]','["oncall"]','prod','["orders:read"]','approved','inc-7',0,86400,1795694855,1795781255,1795694855,'carol','grant_01M8BW2138X7BAJJQC4HTNPMP3',1795781255,NULL,NULL,NULL,NULL);
INSERT INTO requests VALUES('req_01M8BW212N1GRNAVQT0NHWZ9TE','alice','[]','["oncall"]','prod','["orders:read"]','taken',NULL,0,86400,1795694855,1795781255,1795694855,'carol','grant_01M8BW213D0EYAVDTKMP3NB9CA',1795781255,NULL,NULL,NULL,NULL);
INSERT INTO requests VALUES('req_01M8BW212V8WV5YZDS4FNC23AF','alice','[]','["oncall"]','prod','["orders:read"]','denied',NULL,0,86400,1795694855,1795781255,NULL,NULL,NULL,NULL,1795694855,'carol','no',NULL);
INSERT INTO requests VALUES('req_01M8BW212ZV6XT2452V29Y5GY5','zoe','[]','["oncall"]','prod','["orders:read"]','left','INC-7',0,86400,1795694855,1795781255,1795694855,'carol','grant_01M8BW213HGFTCWFP7E4XPJ40J',1795781255,NULL,NULL,NULL,NULL);
INSERT INTO requests VALUES('req_01M8BW21330PRBZJA1P6J52DV5','zoe','[]','["oncall"]','prod','["orders:read"]','left_pending',NULL,0,86400,1795694855,1795781255,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO requests VALUES('req_0old','ALICE ​','[]','["oncall"]','prod','["orders:read"]','odd','INC‐7 ',0,86400,1795694855,1795781255,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
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
INSERT INTO audit VALUES(1,1795694855243,'alice','submit','req_01M8BW212BFN65JH1Z3EJZ9BVG',NULL,'{"audience":"prod","duration_s":86400,"emergency":false,"groups":["oncall"],"incident":"INC-7","reason":"pending","roles":[],"scopes":["orders:read"]}');
INSERT INTO audit VALUES(2,1795694855249,'alice','submit','req_01M8BW212H56YGSPK151ZDAG6N',NULL,'{"audience":"prod","duration_s":86400,"emergency":false,"groups":["oncall"],"incident":"inc-7","reason":"approved","roles":[],"scopes":["orders:read"]}');
INSERT INTO audit VALUES(3,1795694855253,'alice','submit','req_01M8BW212N1GRNAVQT0NHWZ9TE',NULL,'{"audience":"prod","duration_s":86400,"emergency":false,"groups":["oncall"],"incident":null,"reason":"taken","roles":[],"scopes":["orders:read"]}');
INSERT INTO audit VALUES(4,1795694855259,'alice','submit','req_01M8BW212V8WV5YZDS4FNC23AF',NULL,'{"audience":"prod","duration_s":86400,"emergency":false,"groups":["oncall"],"incident":null,"reason":"denied","roles":[],"scopes":["orders:read"]}');
INSERT INTO audit VALUES(5,1795694855263,'zoe','submit','req_01M8BW212ZV6XT2452V29Y5GY5',NULL,'{"audience":"prod","duration_s":86400,"emergency":false,"groups":["oncall"],"incident":"INC-7","reason":"left","roles":[],"scopes":["orders:read"]}');
INSERT INTO audit VALUES(6,1795694855267,'zoe','submit','req_01M8BW21330PRBZJA1P6J52DV5',NULL,'{"audience":"prod","duration_s":86400,"emergency":false,"groups":["oncall"],"incident":null,"reason":"left_pending","roles":[],"scopes":["orders:read"]}');
INSERT INTO audit VALUES(7,1795694855272,'carol','approve','req_01M8BW212H56YGSPK151ZDAG6N','grant_01M8BW2138X7BAJJQC4HTNPMP3','{}');
INSERT INTO audit VALUES(8,1795694855277,'carol','approve','req_01M8BW212N1GRNAVQT0NHWZ9TE','grant_01M8BW213D0EYAVDTKMP3NB9CA','{}');
INSERT INTO audit VALUES(9,1795694855281,'carol','approve','req_01M8BW212ZV6XT2452V29Y5GY5','grant_01M8BW213HGFTCWFP7E4XPJ40J','{}');
INSERT INTO audit VALUES(10,1795694855284,'alice','issue_token','req_01M8BW212N1GRNAVQT0NHWZ9TE','grant_01M8BW213D0EYAVDTKMP3NB9CA','{"kid":"LxEgNV9Uy-QTNCMn0FVyPZ03hjHmQp7kJA3gqZJZ5pE"}');
INSERT INTO audit VALUES(11,1795694855289,'carol','deny','req_01M8BW212V8WV5YZDS4FNC23AF',NULL,'{"reason":"no"}');
CREATE TABLE feed (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    id       TEXT NOT NULL CHECK (id <> '')
) STRICT;
INSERT INTO feed VALUES(1,'587adcbe5b5cb2d850223ed3ecb9d128');
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
INSERT INTO sqlite_sequence VALUES('audit',11);
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
CREATE INDEX audit_heads_by_reporter ON audit_heads
    (chain, proxy, node, seq, hash, ended, process, reported_at_ms);
CREATE TRIGGER audit_chain_owners_not_replaced BEFORE INSERT ON audit_chain_owners
WHEN EXISTS (
    SELECT 1 FROM audit_chain_owners
    WHERE id = NEW.id OR (chain = NEW.chain AND owner = NEW.owner)
)
BEGIN
    SELECT RAISE(ABORT, 'the owner of a chain is kept');
END;
CREATE TRIGGER audit_chain_owners_only_proven BEFORE UPDATE ON audit_chain_owners
WHEN NEW.id <> OLD.id OR NEW.chain <> OLD.chain OR NEW.owner <> OLD.owner
    OR NEW.proven < OLD.proven
BEGIN
    SELECT RAISE(ABORT, 'the owner of a chain is kept');
END;
CREATE TRIGGER audit_chain_owners_not_deleted BEFORE DELETE ON audit_chain_owners
BEGIN
    SELECT RAISE(ABORT, 'the owner of a chain is kept');
END;
CREATE TRIGGER audit_reporters_forward BEFORE UPDATE ON audit_reporters
WHEN NEW.id <> OLD.id OR NEW.chain <> OLD.chain OR NEW.proxy <> OLD.proxy OR NEW.node <> OLD.node
    OR NEW.seq < OLD.seq OR NEW.heads < OLD.heads
BEGIN
    SELECT RAISE(ABORT, 'what a proxy reported is not taken back');
END;
CREATE TRIGGER audit_reporters_not_deleted BEFORE DELETE ON audit_reporters
BEGIN
    SELECT RAISE(ABORT, 'what a proxy reported is not taken back');
END;
CREATE TRIGGER audit_heads_followed AFTER INSERT ON audit_heads
BEGIN
    INSERT INTO audit_chain_owners (chain, owner, proven)
    SELECT NEW.chain, NEW.proxy, 0
    WHERE NOT EXISTS (SELECT 1 FROM audit_chain_owners WHERE chain = NEW.chain);

    INSERT INTO audit_reporters
        (chain, proxy, node, head_id, seq, seen_at_ms, first_ms, last_ms, heads, ended_seq)
    VALUES (NEW.chain, NEW.proxy, NEW.node, NEW.id, NEW.seq, NEW.reported_at_ms,
        NEW.reported_at_ms, NEW.reported_at_ms, 1, CASE WHEN NEW.ended THEN NEW.seq END)
    ON CONFLICT (chain, proxy, node) DO UPDATE SET
        head_id = CASE WHEN excluded.seq >= seq THEN excluded.head_id ELSE head_id END,
        seen_at_ms = CASE WHEN excluded.seq >= seq THEN excluded.seen_at_ms ELSE seen_at_ms END,
        seq = max(seq, excluded.seq),
        first_ms = min(first_ms, excluded.first_ms),
        last_ms = max(last_ms, excluded.last_ms),
        heads = heads + 1,
        ended_seq = min(coalesce(ended_seq, excluded.ended_seq),
            coalesce(excluded.ended_seq, ended_seq));

    INSERT INTO audit_reporter_grants (reporter, grant_id, count)
    SELECT reporter.id, named.key, named.value
    FROM audit_reporters reporter
    JOIN json_each(NEW.grants) named
    WHERE reporter.chain = NEW.chain AND reporter.proxy = NEW.proxy AND reporter.node = NEW.node
    ON CONFLICT (reporter, grant_id) DO UPDATE SET count = excluded.count
    WHERE excluded.count > count;
END;
CREATE TRIGGER service_trail_not_replaced BEFORE INSERT ON service_trail
WHEN EXISTS (SELECT 1 FROM service_trail WHERE seq = NEW.seq)
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
CREATE TRIGGER service_trail_not_updated BEFORE UPDATE ON service_trail
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
CREATE TRIGGER service_trail_not_deleted BEFORE DELETE ON service_trail
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
COMMIT;
