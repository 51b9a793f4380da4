-- What was done to the service itself, and not to a request: one row for each act, in the transaction that
-- made it hold. The trail of the requests is `audit`.

CREATE TABLE service_trail (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms  INTEGER NOT NULL,
    -- A person's name, or `service` where the service acted by itself.
    actor  TEXT NOT NULL CHECK (actor <> ''),
    action TEXT NOT NULL CHECK (action <> ''),
    detail TEXT NOT NULL CHECK (json_valid(detail))
) STRICT;

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
