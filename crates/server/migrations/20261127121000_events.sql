-- What happened, once, in the order of commits: for those who wait, and for those who are told.

-- The places that are given in the order of commits: each change that takes one holds this row until it is committed, and
-- takes it last. A sequence of the database would give places to changes that are committed in another order, and who
-- reads after the last place that was seen would miss some.
CREATE TABLE positions (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    -- The place of the last event.
    event    INTEGER NOT NULL,
    -- The place of the last revocation in the feed.
    epoch    INTEGER NOT NULL
) STRICT;

INSERT INTO positions (only_row, event, epoch)
SELECT 1, coalesce((SELECT max(seq) FROM audit), 0),
    max(coalesce((SELECT max(epoch) FROM revocations), 0),
        coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'revocations'), 0));

CREATE TRIGGER positions_grow BEFORE UPDATE ON positions
WHEN NEW.event < OLD.event OR NEW.epoch < OLD.epoch OR NEW.only_row <> OLD.only_row
BEGIN
    SELECT RAISE(ABORT, 'places only grow');
END;

CREATE TRIGGER positions_kept BEFORE DELETE ON positions
BEGIN
    SELECT RAISE(ABORT, 'places only grow');
END;

-- A revocation by hand has its place from the table itself.
CREATE TRIGGER revocations_have_places AFTER INSERT ON revocations
WHEN NEW.epoch > (SELECT epoch FROM positions)
BEGIN
    UPDATE positions SET epoch = NEW.epoch;
END;

CREATE TABLE events (
    seq           INTEGER PRIMARY KEY NOT NULL,
    -- For good, and on no other machine: `seq` is given again after a backup was restored.
    id            TEXT NOT NULL UNIQUE,
    time_ms       INTEGER NOT NULL,
    type          TEXT NOT NULL CHECK (type LIKE 'breakglass.%'),
    -- Of what `data` has.
    version       INTEGER NOT NULL,
    -- A person's name, or `service` where the service acted by itself.
    actor         TEXT NOT NULL CHECK (actor <> ''),
    -- The request, its place among the events of the request, and what the request says.
    request_id    TEXT REFERENCES requests (id),
    request_seq   INTEGER,
    audience      TEXT,
    subject       TEXT,
    incident      TEXT,
    jti           TEXT,
    -- The proxy, and its configuration.
    node          TEXT,
    configuration TEXT,
    -- An exercise.
    drill         INTEGER NOT NULL CHECK (drill IN (0, 1)),
    data          TEXT NOT NULL CHECK (json_valid(data)),

    CONSTRAINT of_a_request CHECK (
        (request_id IS NULL) = (request_seq IS NULL)
        AND (request_id IS NULL) = (audience IS NULL)
        AND (request_id IS NULL) = (subject IS NULL)
    ),
    UNIQUE (request_id, request_seq)
) STRICT;

-- What the trail says of requests already, in the places that its rows have. What was done to the service itself stays on
-- its trail alone: how the rows of the two follow each other is not known.
CREATE TABLE numbered (seq INTEGER PRIMARY KEY, request_seq INTEGER NOT NULL) STRICT;
INSERT INTO numbered
SELECT seq, row_number() OVER (PARTITION BY request_id ORDER BY seq) FROM audit;
CREATE TABLE first_tokens (seq INTEGER PRIMARY KEY) STRICT;
INSERT INTO first_tokens SELECT min(seq) FROM audit WHERE action = 'issue_token' GROUP BY request_id;

INSERT INTO events (seq, id, time_ms, type, version, actor, request_id, request_seq, audience, subject, incident, jti, drill,
    data)
SELECT seq, 'evt_' || lower(hex(randomblob(16))), at_ms,
    CASE action
        WHEN 'submit' THEN 'breakglass.request.submitted'
        WHEN 'approve' THEN 'breakglass.request.approved'
        WHEN 'deny' THEN 'breakglass.request.denied'
        WHEN 'cancel' THEN 'breakglass.request.cancelled'
        WHEN 'revoke' THEN 'breakglass.grant.revoked'
        WHEN 'issue_token' THEN CASE
            WHEN seq IN first_tokens THEN 'breakglass.grant.activated'
            ELSE 'breakglass.grant.token_issued'
        END
    END,
    1, actor, request_id, request_seq, audience, requester, incident, audit.jti, 0, detail
FROM audit JOIN numbered USING (seq) JOIN requests ON requests.id = audit.request_id
ORDER BY seq;

DROP TABLE numbered;
DROP TABLE first_tokens;

CREATE TRIGGER events_not_replaced BEFORE INSERT ON events
WHEN EXISTS (SELECT 1 FROM events WHERE seq = NEW.seq OR id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'events are kept');
END;

CREATE TRIGGER events_in_order BEFORE INSERT ON events
WHEN NEW.seq > (SELECT event FROM positions)
BEGIN
    SELECT RAISE(ABORT, 'the place of an event is taken from `positions`');
END;

CREATE TRIGGER events_not_updated BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are kept');
END;

CREATE TRIGGER events_not_deleted BEFORE DELETE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are kept');
END;
