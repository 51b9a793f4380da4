-- An evidence database of the version before heads named configurations: its `breakglass serve` made it of four heads of
-- one chain, of which two contradict the first, and one was reported twice.
BEGIN TRANSACTION;
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
INSERT INTO "_sqlx_migrations" VALUES(20261126122000,'evidence','2026-11-27 11:21:06',1,X'2D7E89597DCEB6DDE8B08802971B20966EF12094E220BFF65FD075BC820644847AFBCE63ED3314EEA0B9C0179E6326BD',8629774);
CREATE TABLE attempts (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms    INTEGER NOT NULL,
    outcome  TEXT NOT NULL CHECK (outcome IN ('refused', 'read', 'rest')),
    caller   TEXT NOT NULL CHECK (caller <> ''),
    kind     TEXT NOT NULL CHECK (kind IN ('person', 'proxy')),
    -- The address of the peer of the connection.
    source   TEXT,
    method   TEXT,
    -- The path with names in place of ids.
    endpoint TEXT,
    object   TEXT,
    query    TEXT,
    status   INTEGER,
    reason   TEXT,
    -- How many: 1, but for `rest`.
    count    INTEGER NOT NULL CHECK (count > 0)
) STRICT;
CREATE TABLE audit_chain_owners (
    id     INTEGER PRIMARY KEY,
    chain  TEXT NOT NULL CHECK (length(chain) = 32),
    owner  TEXT NOT NULL,
    proven INTEGER NOT NULL CHECK (proven IN (0, 1)),
    UNIQUE (chain, owner)
) STRICT;
INSERT INTO "audit_chain_owners" VALUES(1,'0123456789abcdef0123456789abcdef','envoy',0);
CREATE TABLE audit_heads (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    reported_at_ms INTEGER NOT NULL,
    -- Whose credential, and what it calls itself.
    proxy          TEXT NOT NULL,
    node           TEXT NOT NULL,
    -- The id of the Envoy process, where the filter says it.
    process        TEXT CHECK (length(process) = 32),
    chain          TEXT NOT NULL CHECK (length(chain) = 32),
    seq            INTEGER NOT NULL CHECK (seq > 0),
    hash           TEXT NOT NULL CHECK (length(hash) = 64),
    -- When the VM began the chain, by the proxy's clock.
    began          TEXT NOT NULL,
    ended          INTEGER NOT NULL CHECK (ended IN (0, 1)),
    -- How many records each grant has in the chain so far, where that has changed.
    grants         TEXT NOT NULL CHECK (json_valid(grants)),
    -- What it contradicts.
    conflict       TEXT CHECK (conflict IN ('other_hash', 'goes_back', 'after_end', 'other_node'))
) STRICT;
INSERT INTO "audit_heads" VALUES(1,1795778467885,'envoy','n1',NULL,'0123456789abcdef0123456789abcdef',3,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','2026-11-22T02:12:59.5Z',0,'{"grant_1":2}',NULL);
INSERT INTO "audit_heads" VALUES(2,1795778467904,'envoy','n1',NULL,'0123456789abcdef0123456789abcdef',3,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','2026-11-22T02:12:59.5Z',0,'{}','other_hash');
INSERT INTO "audit_heads" VALUES(3,1795778467923,'envoy','n1',NULL,'0123456789abcdef0123456789abcdef',2,'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','2026-11-22T02:12:59.5Z',0,'{}','goes_back');
INSERT INTO "audit_heads" VALUES(4,1795778467940,'envoy','n1',NULL,'0123456789abcdef0123456789abcdef',9,'dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd','2026-11-22T02:12:59.5Z',0,'{"grant_1":5}',NULL);
CREATE TABLE audit_reporter_grants (
    reporter INTEGER NOT NULL,
    grant_id TEXT NOT NULL,
    count    INTEGER NOT NULL,
    PRIMARY KEY (reporter, grant_id)
) STRICT, WITHOUT ROWID;
INSERT INTO "audit_reporter_grants" VALUES(1,'grant_1',5);
CREATE TABLE audit_reporters (
    -- AUTOINCREMENT: a page of heads goes on after an id, which must not be given twice.
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    chain      TEXT NOT NULL,
    proxy      TEXT NOT NULL,
    node       TEXT NOT NULL,
    -- The head with the highest number; of several, the one that was reported last.
    head_id    INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    -- When that head was last reported. A repeated head adds no row to audit_heads.
    seen_at_ms INTEGER NOT NULL,
    -- The reports of new heads: the first, the last, and how many.
    first_ms   INTEGER NOT NULL,
    last_ms    INTEGER NOT NULL,
    heads      INTEGER NOT NULL,
    -- The lowest number at which the chain was said to be over.
    ended_seq  INTEGER,
    UNIQUE (chain, proxy, node)
) STRICT;
INSERT INTO "audit_reporters" VALUES(1,'0123456789abcdef0123456789abcdef','envoy','n1',4,9,1795778467958,1795778467885,1795778467940,4,NULL);
CREATE TABLE import (
    only_row    INTEGER PRIMARY KEY CHECK (only_row = 1),
    -- The table that is copied: 0 audit_chain_owners, 1 audit_reporters, 2 audit_reporter_grants, 3 audit_heads.
    part        INTEGER NOT NULL,
    -- The key of the last row that was copied.
    after_id    INTEGER NOT NULL,
    after_grant TEXT NOT NULL,
    done        INTEGER NOT NULL CHECK (done IN (0, 1)),
    -- The highest id of a head in the main database when the copy was done.
    last_head   INTEGER NOT NULL
) STRICT;
INSERT INTO "import" VALUES(1,4,0,'',1,0);
CREATE TABLE proxy_usage (
    proxy  TEXT PRIMARY KEY NOT NULL,
    chains INTEGER NOT NULL DEFAULT 0,
    bytes  INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
INSERT INTO "proxy_usage" VALUES('envoy',1,2990);
CREATE TABLE retention (
    only_row          INTEGER PRIMARY KEY CHECK (only_row = 1),
    thinned_before_ms INTEGER NOT NULL,
    thinned_id        INTEGER NOT NULL,
    removed_before_ms INTEGER NOT NULL
) STRICT;
INSERT INTO "retention" VALUES(1,0,0,0);
CREATE TRIGGER import_done_once BEFORE UPDATE ON import WHEN OLD.done
BEGIN
    SELECT RAISE(ABORT, 'the heads of the main database are copied once');
END;
CREATE TRIGGER import_not_deleted BEFORE DELETE ON import
BEGIN
    SELECT RAISE(ABORT, 'the heads of the main database are copied once');
END;
CREATE TRIGGER retention_forward BEFORE UPDATE ON retention
WHEN NEW.thinned_before_ms < OLD.thinned_before_ms OR NEW.thinned_id < OLD.thinned_id
    OR NEW.removed_before_ms < OLD.removed_before_ms
BEGIN
    SELECT RAISE(ABORT, 'what retention removed does not come back');
END;
CREATE TRIGGER retention_not_deleted BEFORE DELETE ON retention
BEGIN
    SELECT RAISE(ABORT, 'what retention removed does not come back');
END;
CREATE INDEX audit_heads_by_reporter ON audit_heads
    (chain, proxy, node, seq, hash, ended, process, reported_at_ms);
CREATE INDEX audit_heads_by_time ON audit_heads (reported_at_ms);
CREATE INDEX audit_heads_in_conflict ON audit_heads (chain, seq) WHERE conflict IS NOT NULL;
CREATE TRIGGER audit_heads_not_replaced BEFORE INSERT ON audit_heads
WHEN EXISTS (SELECT 1 FROM audit_heads WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'heads are append-only');
END;
CREATE TRIGGER audit_heads_only_gain_counts BEFORE UPDATE ON audit_heads
WHEN NEW.id <> OLD.id OR NEW.reported_at_ms <> OLD.reported_at_ms OR NEW.proxy <> OLD.proxy
    OR NEW.node <> OLD.node OR NEW.process IS NOT OLD.process OR NEW.chain <> OLD.chain
    OR NEW.seq <> OLD.seq OR NEW.hash <> OLD.hash OR NEW.began <> OLD.began OR NEW.ended <> OLD.ended
    OR NEW.conflict IS NOT OLD.conflict
    OR OLD.reported_at_ms >= (SELECT thinned_before_ms FROM retention)
    OR EXISTS (
        SELECT 1 FROM json_each(OLD.grants) was
        LEFT JOIN json_each(NEW.grants) is_now ON is_now.key = was.key
        WHERE is_now.value IS NULL OR is_now.value < was.value
    )
BEGIN
    SELECT RAISE(ABORT, 'heads are append-only');
END;
CREATE TRIGGER audit_heads_not_deleted BEFORE DELETE ON audit_heads
WHEN NOT (
    (
        OLD.reported_at_ms < (SELECT thinned_before_ms FROM retention)
        AND NOT OLD.ended
        AND NOT EXISTS (SELECT 1 FROM audit_heads
            WHERE chain = OLD.chain AND seq = OLD.seq AND conflict IS NOT NULL)
        AND EXISTS (SELECT 1 FROM audit_heads
            WHERE chain = OLD.chain AND proxy = OLD.proxy AND node = OLD.node AND seq < OLD.seq)
        AND EXISTS (SELECT 1 FROM audit_heads
            WHERE chain = OLD.chain AND proxy = OLD.proxy AND node = OLD.node AND seq > OLD.seq
                AND reported_at_ms / 3600000 = OLD.reported_at_ms / 3600000 AND conflict IS NULL)
    )
    OR (
        OLD.reported_at_ms < (SELECT removed_before_ms FROM retention)
        AND NOT EXISTS (SELECT 1 FROM audit_reporters
            WHERE chain = OLD.chain AND proxy = OLD.proxy AND node = OLD.node AND head_id = OLD.id
                AND seen_at_ms >= (SELECT removed_before_ms FROM retention))
    )
)
BEGIN
    SELECT RAISE(ABORT, 'heads are append-only');
END;
CREATE TRIGGER audit_chain_owners_not_replaced BEFORE INSERT ON audit_chain_owners
WHEN EXISTS (
    SELECT 1 FROM audit_chain_owners
    WHERE id = NEW.id OR (chain = NEW.chain AND owner = NEW.owner)
)
BEGIN
    SELECT RAISE(ABORT, 'the owner of a chain is kept');
END;
CREATE TRIGGER audit_chain_owners_only_proven BEFORE UPDATE ON audit_chain_owners
WHEN NEW.id <> OLD.id OR NEW.chain <> OLD.chain OR NEW.owner <> OLD.owner OR NEW.proven < OLD.proven
BEGIN
    SELECT RAISE(ABORT, 'the owner of a chain is kept');
END;
CREATE TRIGGER audit_chain_owners_not_deleted BEFORE DELETE ON audit_chain_owners
WHEN EXISTS (SELECT 1 FROM audit_reporters WHERE chain = OLD.chain)
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
WHEN OLD.seen_at_ms >= (SELECT removed_before_ms FROM retention)
    OR EXISTS (SELECT 1 FROM audit_heads
        WHERE chain = OLD.chain AND proxy = OLD.proxy AND node = OLD.node)
BEGIN
    SELECT RAISE(ABORT, 'what a proxy reported is not taken back');
END;
CREATE TRIGGER audit_reporters_forgotten AFTER DELETE ON audit_reporters
BEGIN
    DELETE FROM audit_reporter_grants WHERE reporter = OLD.id;
    DELETE FROM audit_chain_owners
    WHERE chain = OLD.chain AND NOT EXISTS (SELECT 1 FROM audit_reporters WHERE chain = OLD.chain);
END;
CREATE TRIGGER audit_heads_followed AFTER INSERT ON audit_heads WHEN (SELECT done FROM import)
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
CREATE TRIGGER audit_heads_used AFTER INSERT ON audit_heads
BEGIN
    -- A row with its indexes, and the counts once here and once in audit_reporter_grants.
    INSERT INTO proxy_usage (proxy, bytes) VALUES (NEW.proxy, 600 + 3 * length(NEW.grants))
    ON CONFLICT (proxy) DO UPDATE SET bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER audit_heads_used_more AFTER UPDATE OF grants ON audit_heads
BEGIN
    UPDATE proxy_usage SET bytes = bytes + 3 * (length(NEW.grants) - length(OLD.grants))
    WHERE proxy = NEW.proxy;
END;
CREATE TRIGGER audit_heads_freed AFTER DELETE ON audit_heads
BEGIN
    UPDATE proxy_usage SET bytes = bytes - 600 - 3 * length(OLD.grants) WHERE proxy = OLD.proxy;
END;
CREATE TRIGGER audit_reporters_used AFTER INSERT ON audit_reporters
BEGIN
    INSERT INTO proxy_usage (proxy, chains, bytes) VALUES (NEW.proxy, 1, 500)
    ON CONFLICT (proxy) DO UPDATE SET chains = chains + 1, bytes = bytes + 500;
END;
CREATE TRIGGER audit_reporters_freed AFTER DELETE ON audit_reporters
BEGIN
    UPDATE proxy_usage SET chains = chains - 1, bytes = bytes - 500 WHERE proxy = OLD.proxy;
END;
CREATE INDEX attempts_by_time ON attempts (at_ms);
CREATE TRIGGER attempts_not_replaced BEFORE INSERT ON attempts
WHEN EXISTS (SELECT 1 FROM attempts WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'attempts are append-only');
END;
CREATE TRIGGER attempts_not_updated BEFORE UPDATE ON attempts
BEGIN
    SELECT RAISE(ABORT, 'attempts are append-only');
END;
CREATE TRIGGER attempts_not_deleted BEFORE DELETE ON attempts
WHEN OLD.at_ms >= (SELECT removed_before_ms FROM retention)
BEGIN
    SELECT RAISE(ABORT, 'attempts are append-only');
END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('audit_reporters',4);
INSERT INTO "sqlite_sequence" VALUES('audit_heads',4);
COMMIT;
