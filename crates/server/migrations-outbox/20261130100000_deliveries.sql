-- What the sinks are told of. The events themselves are in the main database; here is how far each source was read, and what
-- became of each delivery.

CREATE TABLE sources (
    source         TEXT PRIMARY KEY NOT NULL,
    -- The last event that was read: by its place and its id, because places are given again after a backup was put back.
    place          INTEGER NOT NULL,
    id             TEXT NOT NULL,
    -- Where another database was found in the place of the one that was read: what is older was told of already, or is of
    -- before.
    skip_before_ms INTEGER NOT NULL
) STRICT;

-- What was read, kept for 30 days: by these it is found how far a database that was put back is the one that was read.
CREATE TABLE places (
    source  TEXT NOT NULL,
    place   INTEGER NOT NULL,
    id      TEXT NOT NULL,
    time_ms INTEGER NOT NULL,
    read_ms INTEGER NOT NULL,
    PRIMARY KEY (source, place)
) STRICT, WITHOUT ROWID;

CREATE INDEX places_read ON places (read_ms);

-- Events as they are told: a database that is put back may not have them.
CREATE TABLE notices (
    id        TEXT PRIMARY KEY NOT NULL,
    queued_ms INTEGER NOT NULL,
    notice    TEXT NOT NULL CHECK (json_valid(notice))
) STRICT;

CREATE INDEX notices_queued ON notices (queued_ms);

-- Each sink that anything was queued for.
CREATE TABLE sinks (name TEXT PRIMARY KEY NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE deliveries (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    event     TEXT NOT NULL REFERENCES notices (id),
    sink      TEXT NOT NULL,
    -- What is told in order: the request; of an event without one the event itself.
    line      TEXT NOT NULL,
    -- `behind`: an earlier one of the same line waits. One of a line is `due`.
    state     TEXT NOT NULL CHECK (state IN ('behind', 'due', 'delivered', 'dead')),
    attempts  INTEGER NOT NULL,
    -- When it is tried next. While it is tried, the time at which that has failed for sure.
    next_ms   INTEGER NOT NULL,
    queued_ms INTEGER NOT NULL,
    ended_ms  INTEGER,
    outcome   TEXT,

    UNIQUE (event, sink),
    CONSTRAINT ended CHECK ((ended_ms IS NULL) = (state IN ('behind', 'due')))
) STRICT;

CREATE INDEX deliveries_due ON deliveries (sink, next_ms, id) WHERE state = 'due';
CREATE UNIQUE INDEX deliveries_one_due ON deliveries (sink, line) WHERE state = 'due';
CREATE INDEX deliveries_behind ON deliveries (sink, line, id) WHERE state = 'behind';
CREATE INDEX deliveries_open ON deliveries (sink, state, queued_ms) WHERE state <> 'delivered';
CREATE INDEX deliveries_ended ON deliveries (ended_ms) WHERE ended_ms IS NOT NULL;
CREATE INDEX deliveries_by_sink ON deliveries (sink, id);
