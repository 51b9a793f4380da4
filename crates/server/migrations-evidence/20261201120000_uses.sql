-- What grants were used for: the highest count of each kind of use that a reporter gave. '' where no scope or rule decided.
-- Unlike the counts of grants it is not kept head by head: the records say when.
CREATE TABLE audit_reporter_uses (
    reporter INTEGER NOT NULL,
    grant_id TEXT NOT NULL,
    scope    TEXT NOT NULL,
    method   TEXT NOT NULL,
    rule     TEXT NOT NULL,
    outcome  TEXT NOT NULL,
    count    INTEGER NOT NULL CHECK (count > 0),
    PRIMARY KEY (reporter, grant_id, scope, method, rule, outcome)
) STRICT, WITHOUT ROWID;

-- All that is known of one grant, over all chains.
CREATE INDEX audit_reporter_uses_by_grant ON audit_reporter_uses (grant_id);
CREATE INDEX audit_reporter_grants_by_grant ON audit_reporter_grants (grant_id);

CREATE TRIGGER audit_reporter_uses_forward BEFORE UPDATE ON audit_reporter_uses
WHEN NEW.reporter <> OLD.reporter OR NEW.grant_id <> OLD.grant_id OR NEW.scope <> OLD.scope
    OR NEW.method <> OLD.method OR NEW.rule <> OLD.rule OR NEW.outcome <> OLD.outcome OR NEW.count < OLD.count
BEGIN
    SELECT RAISE(ABORT, 'what a proxy reported is not taken back');
END;

CREATE TRIGGER audit_reporter_uses_not_deleted BEFORE DELETE ON audit_reporter_uses
WHEN EXISTS (SELECT 1 FROM audit_reporters WHERE id = OLD.reporter
    AND seen_at_ms >= (SELECT removed_before_ms FROM retention))
BEGIN
    SELECT RAISE(ABORT, 'what a proxy reported is not taken back');
END;

-- They are of the credential's share of the disk: a row, and its place in the index.
CREATE TRIGGER audit_reporter_uses_used AFTER INSERT ON audit_reporter_uses
BEGIN
    UPDATE proxy_usage
    SET bytes = bytes + 100 + 2 * length(NEW.grant_id) + length(NEW.scope) + length(NEW.method) + length(NEW.rule)
    WHERE proxy = (SELECT proxy FROM audit_reporters WHERE id = NEW.reporter);
END;

CREATE TRIGGER audit_reporter_uses_freed AFTER DELETE ON audit_reporter_uses
BEGIN
    UPDATE proxy_usage
    SET bytes = bytes - 100 - 2 * length(OLD.grant_id) - length(OLD.scope) - length(OLD.method) - length(OLD.rule)
    WHERE proxy = (SELECT proxy FROM audit_reporters WHERE id = OLD.reporter);
END;

-- Before: what a row took is taken off its reporter's credential.
CREATE TRIGGER audit_reporters_uses_forgotten BEFORE DELETE ON audit_reporters
WHEN OLD.seen_at_ms < (SELECT removed_before_ms FROM retention)
BEGIN
    DELETE FROM audit_reporter_uses WHERE reporter = OLD.id;
END;
