-- What the service believes of the time, so that a restart does not believe a clock that was set meanwhile.

CREATE TABLE clock (
    only_row        INTEGER PRIMARY KEY CHECK (only_row = 1),
    -- /proc/sys/kernel/random/boot_id; empty where it is not known, or where no time was believed.
    boot            TEXT NOT NULL,
    -- CLOCK_BOOTTIME when this was written.
    steady_ms       INTEGER NOT NULL,
    -- The believed time minus CLOCK_BOOTTIME.
    offset_ms       INTEGER NOT NULL,
    -- The wall clock minus the believed time: more than a few seconds is a step that nobody has accepted.
    ahead_ms        INTEGER NOT NULL,
    -- The latest time that was believed.
    newest_ms       INTEGER NOT NULL,
    -- The earliest time that it could be.
    floor_ms        INTEGER NOT NULL,
    -- On this boot, and until CLOCK_BOOTTIME is the second: it may be as early as CLOCK_BOOTTIME plus the first.
    floor_offset_ms INTEGER,
    floor_until_ms  INTEGER,
    -- Rows of these trails up to here say nothing of the time: somebody has accepted another one since.
    audit_seq       INTEGER NOT NULL,
    trail_seq       INTEGER NOT NULL
) STRICT;

CREATE TRIGGER clock_kept BEFORE DELETE ON clock
BEGIN
    SELECT RAISE(ABORT, 'what is believed of the time is kept');
END;

-- A request that was not decided in time. Before this is written it follows from `lapses_at`; from then on no
-- clock that goes back revives it.
ALTER TABLE requests ADD COLUMN lapsed_at INTEGER;

CREATE TRIGGER requests_start_unlapsed BEFORE INSERT ON requests
WHEN NEW.lapsed_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a request is submitted before it lapses');
END;

CREATE TRIGGER requests_lapsed_for_good BEFORE UPDATE ON requests
WHEN OLD.lapsed_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a request that lapsed is never decided');
END;

CREATE TRIGGER requests_lapsed_or_decided BEFORE UPDATE ON requests
WHEN NEW.lapsed_at IS NOT NULL
    AND (NEW.approved_at IS NOT NULL OR NEW.denied_at IS NOT NULL OR NEW.cancelled_at IS NOT NULL)
BEGIN
    SELECT RAISE(ABORT, 'a request that lapsed is never decided');
END;

-- Each second the service looks for what has lapsed: among what waits, not among all that ever was.
CREATE INDEX requests_waiting ON requests (lapses_at)
WHERE approved_at IS NULL AND denied_at IS NULL AND cancelled_at IS NULL AND lapsed_at IS NULL;
CREATE INDEX requests_waiting_by_submission ON requests (submitted_at)
WHERE approved_at IS NULL AND denied_at IS NULL AND cancelled_at IS NULL AND lapsed_at IS NULL;
