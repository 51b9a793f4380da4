-- The indexes and triggers of tables.sql.
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
