-- The last report of alerts that was taken of each sender (a VM of a filter), so that one whose answer was lost, and which is
-- made again, counts once.

CREATE TABLE alert_reports (
    -- The name of the credential.
    proxy   TEXT NOT NULL CHECK (proxy <> ''),
    sender  TEXT NOT NULL CHECK (sender <> ''),
    -- The SHA-256 of its number and of all that it said.
    digest  BLOB NOT NULL CHECK (length(digest) = 32),
    -- When it came, by the service's clock.
    seen_ms INTEGER NOT NULL,
    PRIMARY KEY (proxy, sender)
) STRICT, WITHOUT ROWID;

CREATE INDEX alert_reports_by_time ON alert_reports (proxy, seen_ms);
