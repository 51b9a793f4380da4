-- A chain's first head names the configuration under which the chain is written. Heads of the version before name none.
-- The constraint of `conflict` cannot be widened without copying all heads: that a head names another configuration than
-- its chain's earlier heads has a column of its own.
ALTER TABLE audit_heads ADD COLUMN configuration TEXT CHECK (length(configuration) = 64);
ALTER TABLE audit_heads ADD COLUMN other_configuration INTEGER NOT NULL DEFAULT 0
    CHECK (other_configuration IN (0, 1));

-- The first that the reporter named for the chain. It stays when retention removes the head that named it.
ALTER TABLE audit_reporters ADD COLUMN configuration TEXT CHECK (length(configuration) = 64);

-- Finds whether a configuration was named before, and the heads of a number that are in a conflict, with one look-up.
CREATE INDEX audit_heads_by_configuration ON audit_heads (chain, proxy, node, configuration)
    WHERE configuration IS NOT NULL;
CREATE INDEX audit_heads_of_other_configuration ON audit_heads (chain, seq) WHERE other_configuration = 1;

DROP TRIGGER audit_heads_only_gain_counts;

-- Thinning moves the counts of a head that it deletes into the next one of the same hour; no count is lost.
CREATE TRIGGER audit_heads_only_gain_counts BEFORE UPDATE ON audit_heads
WHEN NEW.id <> OLD.id OR NEW.reported_at_ms <> OLD.reported_at_ms OR NEW.proxy <> OLD.proxy
    OR NEW.node <> OLD.node OR NEW.process IS NOT OLD.process OR NEW.chain <> OLD.chain
    OR NEW.seq <> OLD.seq OR NEW.hash <> OLD.hash OR NEW.began <> OLD.began OR NEW.ended <> OLD.ended
    OR NEW.configuration IS NOT OLD.configuration OR NEW.other_configuration <> OLD.other_configuration
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

DROP TRIGGER audit_heads_not_deleted;

-- A head may be deleted
-- 1. by thinning: it is neither the lowest of its reporter, nor an end, nor in a conflict, and a higher one of
--    the same hour stays, which commits to all records up to it;
-- 2. by removal: unless it is the last of a chain that is still heard of.
CREATE TRIGGER audit_heads_not_deleted BEFORE DELETE ON audit_heads
WHEN NOT (
    (
        OLD.reported_at_ms < (SELECT thinned_before_ms FROM retention)
        AND NOT OLD.ended
        AND NOT EXISTS (SELECT 1 FROM audit_heads
            WHERE chain = OLD.chain AND seq = OLD.seq AND conflict IS NOT NULL)
        AND NOT EXISTS (SELECT 1 FROM audit_heads
            WHERE chain = OLD.chain AND seq = OLD.seq AND other_configuration = 1)
        AND EXISTS (SELECT 1 FROM audit_heads
            WHERE chain = OLD.chain AND proxy = OLD.proxy AND node = OLD.node AND seq < OLD.seq)
        AND EXISTS (SELECT 1 FROM audit_heads
            WHERE chain = OLD.chain AND proxy = OLD.proxy AND node = OLD.node AND seq > OLD.seq
                AND reported_at_ms / 3600000 = OLD.reported_at_ms / 3600000 AND conflict IS NULL
                AND other_configuration = 0)
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

DROP TRIGGER audit_reporters_forward;

CREATE TRIGGER audit_reporters_forward BEFORE UPDATE ON audit_reporters
WHEN NEW.id <> OLD.id OR NEW.chain <> OLD.chain OR NEW.proxy <> OLD.proxy OR NEW.node <> OLD.node
    OR NEW.seq < OLD.seq OR NEW.heads < OLD.heads OR NEW.configuration <> OLD.configuration
    OR (NEW.configuration IS NULL AND OLD.configuration IS NOT NULL)
BEGIN
    SELECT RAISE(ABORT, 'what a proxy reported is not taken back');
END;

DROP TRIGGER audit_heads_followed;

-- The copy from the main database brings these tables as they were there.
CREATE TRIGGER audit_heads_followed AFTER INSERT ON audit_heads WHEN (SELECT done FROM import)
BEGIN
    INSERT INTO audit_chain_owners (chain, owner, proven)
    SELECT NEW.chain, NEW.proxy, 0
    WHERE NOT EXISTS (SELECT 1 FROM audit_chain_owners WHERE chain = NEW.chain);

    INSERT INTO audit_reporters
        (chain, proxy, node, head_id, seq, seen_at_ms, first_ms, last_ms, heads, ended_seq, configuration)
    VALUES (NEW.chain, NEW.proxy, NEW.node, NEW.id, NEW.seq, NEW.reported_at_ms,
        NEW.reported_at_ms, NEW.reported_at_ms, 1, CASE WHEN NEW.ended THEN NEW.seq END, NEW.configuration)
    ON CONFLICT (chain, proxy, node) DO UPDATE SET
        head_id = CASE WHEN excluded.seq >= seq THEN excluded.head_id ELSE head_id END,
        seen_at_ms = CASE WHEN excluded.seq >= seq THEN excluded.seen_at_ms ELSE seen_at_ms END,
        seq = max(seq, excluded.seq),
        first_ms = min(first_ms, excluded.first_ms),
        last_ms = max(last_ms, excluded.last_ms),
        heads = heads + 1,
        ended_seq = min(coalesce(ended_seq, excluded.ended_seq),
            coalesce(excluded.ended_seq, ended_seq)),
        configuration = coalesce(configuration, excluded.configuration);

    INSERT INTO audit_reporter_grants (reporter, grant_id, count)
    SELECT reporter.id, named.key, named.value
    FROM audit_reporters reporter
    JOIN json_each(NEW.grants) named
    WHERE reporter.chain = NEW.chain AND reporter.proxy = NEW.proxy AND reporter.node = NEW.node
    ON CONFLICT (reporter, grant_id) DO UPDATE SET count = excluded.count
    WHERE excluded.count > count;
END;
