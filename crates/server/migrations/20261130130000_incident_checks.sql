-- What the system that keeps incidents said of the incident of a request: the last answer, one row for each request of a scope
-- whose incidents are checked. Each answer that differs from the one before is an event.
CREATE TABLE incident_checks (
    request_id   TEXT PRIMARY KEY REFERENCES requests (id),
    -- When it was answered; of `silent`, when it was first asked.
    at_ms        INTEGER NOT NULL,
    verdict      TEXT NOT NULL CHECK (verdict IN ('open', 'closed', 'unknown', 'not_yours', 'silent')),
    own_incident INTEGER NOT NULL CHECK (own_incident IN (0, 1)),
    -- What the pointers of the configuration found: `state`, `owner`, `opened_by`.
    found        TEXT NOT NULL CHECK (json_valid(found)),
    -- Since when the answer is `closed` or `unknown`.
    closed_at_ms INTEGER CHECK (closed_at_ms IS NULL OR verdict IN ('closed', 'unknown')),
    -- When it is asked again, in seconds; null where it is not.
    next_at      INTEGER
) STRICT, WITHOUT ROWID;

-- Each second the service looks for what is due.
CREATE INDEX incident_checks_due ON incident_checks (next_at) WHERE next_at IS NOT NULL;

CREATE TRIGGER incident_checks_not_deleted BEFORE DELETE ON incident_checks
BEGIN
    SELECT RAISE(ABORT, 'what was said of an incident is kept');
END;

-- An answer is never taken back: silence that follows it changes nothing.
CREATE TRIGGER incident_checks_stay_answered BEFORE UPDATE OF verdict ON incident_checks
WHEN NEW.verdict = 'silent' AND OLD.verdict <> 'silent'
BEGIN
    SELECT RAISE(ABORT, 'silence is no answer');
END;
