-- What the proxies' VMs say of the chains of audit records that they write: how far each is, and
-- with which hash. A log that was cut or rewritten on a proxy's disk contradicts it.
--
-- One row per report, as it came. A report that contradicts an earlier one is kept beside it, and
-- says so: neither is taken for the truth here.

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

-- The evidence of an incident is found by it.
CREATE INDEX requests_by_incident ON requests (incident) WHERE incident IS NOT NULL;
