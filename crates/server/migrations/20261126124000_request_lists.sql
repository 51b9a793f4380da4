-- Which requests a person may see, as lists that are walked from the newest request on. Without them a list
-- of a scope reads every request, because no index reaches into an array in JSON, and so does a list of a
-- state, because it follows from several columns and from another table.

CREATE TABLE request_lists (
    -- `requester <name>` or `scope <name>`: a request is on the list of its requester and of each of its scopes.
    list       TEXT NOT NULL,
    phase      TEXT NOT NULL CHECK (
        phase IN ('undecided', 'approved', 'denied', 'cancelled', 'revoked')
    ),
    -- Ids sort by the time of submission.
    request_id TEXT NOT NULL,
    -- When the phase ends by itself: an undecided request lapses, an approved one expires. 0 where the request
    -- is marked as lapsed: it stays so, whatever the clock says.
    ends_at    INTEGER NOT NULL,
    PRIMARY KEY (list, phase, request_id)
) STRICT, WITHOUT ROWID;

-- What is pending, and what is live, among all that has lapsed and expired.
CREATE INDEX request_lists_by_end ON request_lists (list, phase, ends_at)
    WHERE phase IN ('undecided', 'approved');

WITH known AS (
    SELECT id, requester, scopes,
        CASE WHEN lapsed_at IS NOT NULL THEN 0 ELSE coalesce(expires_at, lapses_at) END AS ends_at,
        CASE
            WHEN denied_at IS NOT NULL THEN 'denied'
            WHEN cancelled_at IS NOT NULL THEN 'cancelled'
            WHEN approved_at IS NULL THEN 'undecided'
            WHEN EXISTS (SELECT 1 FROM revocations WHERE revocations.jti = requests.jti)
                THEN 'revoked'
            ELSE 'approved'
        END AS phase
    FROM requests
)
INSERT INTO request_lists (list, phase, request_id, ends_at)
SELECT 'requester ' || known.requester, known.phase, known.id, known.ends_at FROM known
UNION ALL
SELECT 'scope ' || named.value, known.phase, known.id, known.ends_at
FROM known JOIN json_each(known.scopes) AS named
WHERE true
ON CONFLICT DO NOTHING;

CREATE TRIGGER requests_listed AFTER INSERT ON requests
BEGIN
    INSERT INTO request_lists (list, phase, request_id, ends_at)
    SELECT 'requester ' || NEW.requester, 'undecided', NEW.id, NEW.lapses_at
    UNION
    SELECT 'scope ' || value, 'undecided', NEW.id, NEW.lapses_at FROM json_each(NEW.scopes);
END;

CREATE TRIGGER requests_listed_as_decided
AFTER UPDATE OF approved_at, denied_at, cancelled_at ON requests
BEGIN
    UPDATE request_lists
    SET phase = CASE
            WHEN NEW.denied_at IS NOT NULL THEN 'denied'
            WHEN NEW.cancelled_at IS NOT NULL THEN 'cancelled'
            WHEN NEW.approved_at IS NOT NULL THEN 'approved'
            ELSE 'undecided'
        END,
        ends_at = coalesce(NEW.expires_at, NEW.lapses_at)
    WHERE list IN (
            SELECT 'requester ' || NEW.requester
            UNION ALL SELECT 'scope ' || value FROM json_each(NEW.scopes))
        AND phase = 'undecided' AND request_id = NEW.id;
END;

CREATE TRIGGER requests_listed_as_lapsed AFTER UPDATE OF lapsed_at ON requests
WHEN NEW.lapsed_at IS NOT NULL
BEGIN
    UPDATE request_lists SET ends_at = 0
    WHERE list IN (
            SELECT 'requester ' || NEW.requester
            UNION ALL SELECT 'scope ' || value FROM json_each(NEW.scopes))
        AND phase = 'undecided' AND request_id = NEW.id;
END;

CREATE TRIGGER requests_listed_as_revoked AFTER INSERT ON revocations
BEGIN
    UPDATE request_lists SET phase = 'revoked'
    WHERE list IN (
            SELECT 'requester ' || requester FROM requests WHERE jti = NEW.jti
            UNION ALL
            SELECT 'scope ' || named.value FROM requests JOIN json_each(scopes) AS named
            WHERE jti = NEW.jti)
        AND phase = 'approved'
        AND request_id = (SELECT id FROM requests WHERE jti = NEW.jti);
END;

CREATE TRIGGER request_lists_forward BEFORE UPDATE ON request_lists
WHEN NEW.list <> OLD.list OR NEW.request_id <> OLD.request_id
    OR OLD.phase NOT IN ('undecided', 'approved')
    OR (OLD.phase = 'approved' AND NEW.phase <> 'revoked')
BEGIN
    SELECT RAISE(ABORT, 'a request stays on its lists');
END;

CREATE TRIGGER request_lists_kept BEFORE DELETE ON request_lists
BEGIN
    SELECT RAISE(ABORT, 'a request stays on its lists');
END;

-- What a person asked for, and what was asked for in an incident, in pages by the id.
DROP INDEX requests_by_requester;
CREATE INDEX requests_by_requester ON requests (requester, id);
DROP INDEX requests_by_incident;
CREATE INDEX requests_by_incident ON requests (incident, id) WHERE incident IS NOT NULL;
