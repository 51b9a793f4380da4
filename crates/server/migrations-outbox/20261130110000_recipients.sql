-- A sink may write to people: then each of them has a delivery of their own, and is told in order for themselves.
CREATE TABLE deliveries_of_recipients (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    event     TEXT NOT NULL REFERENCES notices (id),
    sink      TEXT NOT NULL,
    -- The person's name; empty where the sink does not write to people.
    recipient TEXT NOT NULL DEFAULT '',
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

    UNIQUE (event, sink, recipient),
    CONSTRAINT ended CHECK ((ended_ms IS NULL) = (state IN ('behind', 'due')))
) STRICT;

INSERT INTO deliveries_of_recipients (id, event, sink, line, state, attempts, next_ms, queued_ms, ended_ms, outcome)
SELECT id, event, sink, line, state, attempts, next_ms, queued_ms, ended_ms, outcome FROM deliveries ORDER BY id;
-- Places are not given again, also where the last deliveries are gone.
UPDATE sqlite_sequence SET seq = max(seq, (SELECT seq FROM sqlite_sequence WHERE name = 'deliveries'))
WHERE name = 'deliveries_of_recipients' AND EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'deliveries');
INSERT INTO sqlite_sequence (name, seq)
SELECT 'deliveries_of_recipients', seq FROM sqlite_sequence AS before WHERE before.name = 'deliveries'
    AND NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'deliveries_of_recipients');

DROP TABLE deliveries;
ALTER TABLE deliveries_of_recipients RENAME TO deliveries;

CREATE INDEX deliveries_due ON deliveries (sink, next_ms, id) WHERE state = 'due';
CREATE UNIQUE INDEX deliveries_one_due ON deliveries (sink, line, recipient) WHERE state = 'due';
CREATE INDEX deliveries_behind ON deliveries (sink, line, recipient, id) WHERE state = 'behind';
CREATE INDEX deliveries_open ON deliveries (sink, state, queued_ms) WHERE state <> 'delivered';
CREATE INDEX deliveries_ended ON deliveries (ended_ms) WHERE ended_ms IS NOT NULL;
CREATE INDEX deliveries_by_sink ON deliveries (sink, id);

-- Submissions of which it is not said yet whether an approver was reached.
CREATE TABLE submissions (
    request  TEXT PRIMARY KEY NOT NULL,
    -- When it is to be said, in milliseconds.
    judge_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX submissions_by_time ON submissions (judge_ms);
