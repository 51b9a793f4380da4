-- Whose each chain is, and how far each reporter of a chain is: both follow from the reports, and are kept
-- beside them, so that neither a report nor a page of the list reads a chain's whole history.

-- The id of the Envoy process, where the filter says it.
ALTER TABLE audit_heads ADD COLUMN process TEXT CHECK (length(process) = 32);

-- Finds the head that a report repeats, a different hash for the same number, and the highest number
-- before an instant, each with one look-up.
DROP INDEX audit_heads_by_chain;
CREATE INDEX audit_heads_by_reporter ON audit_heads
    (chain, proxy, node, seq, hash, ended, process, reported_at_ms);

-- Whose chain it is, by the name of the proxy's credential. `proven` says that the chain's id was made with
-- that proxy's credential; without it the chain is its first reporter's. A proxy that was renamed proves its
-- chain under either name.
CREATE TABLE audit_chain_owners (
    id     INTEGER PRIMARY KEY,
    chain  TEXT NOT NULL CHECK (length(chain) = 32),
    owner  TEXT NOT NULL,
    proven INTEGER NOT NULL CHECK (proven IN (0, 1)),
    UNIQUE (chain, owner)
) STRICT;

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

-- One row a chain, credential and node that reported it: how far it is.
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

-- The highest count of each grant that a reporter gave.
CREATE TABLE audit_reporter_grants (
    reporter INTEGER NOT NULL,
    grant_id TEXT NOT NULL,
    count    INTEGER NOT NULL,
    PRIMARY KEY (reporter, grant_id)
) STRICT, WITHOUT ROWID;

INSERT INTO audit_chain_owners (chain, owner, proven)
SELECT chain, proxy, 0
FROM (SELECT chain, proxy, min(id) AS first FROM audit_heads GROUP BY chain)
ORDER BY first;

INSERT INTO audit_reporters
    (chain, proxy, node, head_id, seq, seen_at_ms, first_ms, last_ms, heads, ended_seq)
SELECT known.chain, known.proxy, known.node, head.id, known.seq, head.reported_at_ms, known.first_ms,
    known.last_ms, known.heads, known.ended_seq
FROM (
    SELECT chain, proxy, node, max(seq) AS seq, min(reported_at_ms) AS first_ms,
        max(reported_at_ms) AS last_ms, count(*) AS heads, min(id) AS first,
        min(CASE WHEN ended THEN seq END) AS ended_seq
    FROM audit_heads GROUP BY chain, proxy, node
) known
JOIN audit_heads head ON head.id = (
    SELECT max(id) FROM audit_heads same
    WHERE same.chain = known.chain AND same.proxy = known.proxy AND same.node = known.node
        AND same.seq = known.seq
)
ORDER BY known.first;

INSERT INTO audit_reporter_grants (reporter, grant_id, count)
SELECT reporter.id, named.key, max(named.value)
FROM audit_heads head
JOIN audit_reporters reporter
    ON reporter.chain = head.chain AND reporter.proxy = head.proxy AND reporter.node = head.node
JOIN json_each(head.grants) named
GROUP BY reporter.id, named.key;

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
