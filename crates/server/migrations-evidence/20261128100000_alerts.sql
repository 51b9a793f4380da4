-- Alerts that proxies report. A row is kept as it came and deleted only by retention, as attempts are; what comes again
-- within a minute is counted in it.

CREATE TABLE alerts (
    -- AUTOINCREMENT: readers go on after a place, which must not be given twice.
    place       INTEGER PRIMARY KEY AUTOINCREMENT,
    -- The id by which receivers tell two deliveries of one alert from two alerts.
    id          TEXT NOT NULL CHECK (id <> ''),
    -- When it came, by the service's clock; and when it was last counted again.
    at_ms       INTEGER NOT NULL,
    seen_ms     INTEGER NOT NULL,
    -- The name of the credential.
    proxy       TEXT NOT NULL CHECK (proxy <> ''),
    -- As the proxy wrote it: a newer filter has more kinds.
    kind        TEXT NOT NULL CHECK (kind <> ''),
    class       TEXT NOT NULL CHECK (class IN ('strangers', 'holders', 'filter')),
    -- The kinds whose rows are counted together: each known one, and all others as one.
    bound       TEXT NOT NULL,
    -- What else has to be the same for two of a kind to be counted as one: a grant, or a digest.
    merges      TEXT NOT NULL,
    -- Whether it is for a human.
    page        INTEGER NOT NULL CHECK (page IN (0, 1)),
    grant_id    TEXT,
    -- How many things it stands for.
    count       INTEGER NOT NULL CHECK (count > 0),
    -- All that is said of it, as the list and the sinks have it.
    body        TEXT NOT NULL CHECK (json_valid(body))
) STRICT;

-- Lists by each filter, in the order of arrival.
CREATE INDEX alerts_by_proxy ON alerts (proxy);
CREATE INDEX alerts_by_kind ON alerts (kind);
CREATE INDEX alerts_by_proxy_and_kind ON alerts (proxy, kind);
CREATE INDEX alerts_by_grant ON alerts (grant_id) WHERE grant_id IS NOT NULL;
-- What a new one is counted with, the rows of an hour, the pages of an hour, and retention.
CREATE INDEX alerts_same ON alerts (proxy, kind, merges, at_ms);
CREATE INDEX alerts_rows ON alerts (proxy, bound, at_ms);
CREATE INDEX alerts_pages ON alerts (proxy, class, at_ms) WHERE page = 1;
CREATE INDEX alerts_by_time ON alerts (at_ms);

CREATE TRIGGER alerts_not_replaced BEFORE INSERT ON alerts
WHEN EXISTS (SELECT 1 FROM alerts WHERE place = NEW.place)
BEGIN
    SELECT RAISE(ABORT, 'alerts are append-only');
END;

CREATE TRIGGER alerts_only_counted BEFORE UPDATE ON alerts
WHEN NEW.place <> OLD.place OR NEW.id <> OLD.id OR NEW.at_ms <> OLD.at_ms OR NEW.proxy <> OLD.proxy
    OR NEW.kind <> OLD.kind OR NEW.class <> OLD.class OR NEW.bound <> OLD.bound OR NEW.merges <> OLD.merges
    OR NEW.page <> OLD.page OR NEW.grant_id IS NOT OLD.grant_id OR NEW.body <> OLD.body
    OR NEW.count < OLD.count OR NEW.seen_ms < OLD.seen_ms
BEGIN
    SELECT RAISE(ABORT, 'alerts are append-only');
END;

CREATE TRIGGER alerts_not_deleted BEFORE DELETE ON alerts
WHEN OLD.at_ms >= (SELECT removed_before_ms FROM retention)
BEGIN
    SELECT RAISE(ABORT, 'alerts are append-only');
END;

-- They are of the credential's share of the disk.
CREATE TRIGGER alerts_used AFTER INSERT ON alerts
BEGIN
    INSERT INTO proxy_usage (proxy, bytes) VALUES (NEW.proxy, 1000 + length(NEW.body))
    ON CONFLICT (proxy) DO UPDATE SET bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER alerts_freed AFTER DELETE ON alerts
BEGIN
    UPDATE proxy_usage SET bytes = bytes - 1000 - length(OLD.body) WHERE proxy = OLD.proxy;
END;

-- The credentials and classes that have had their pages of an hour, and what came of them since then without a page. When
-- the hour is over, one alert says it, and the row is gone.
CREATE TABLE alerts_unpaged (
    proxy    TEXT NOT NULL CHECK (proxy <> ''),
    class    TEXT NOT NULL CHECK (class IN ('strangers', 'holders', 'filter')),
    -- When the hour began: with the page whose place is the first to be free again.
    since_ms INTEGER NOT NULL,
    -- How many alerts; how many of them have no row; and how many of each kind.
    alerts   INTEGER NOT NULL CHECK (alerts > 0),
    not_kept INTEGER NOT NULL CHECK (not_kept >= 0),
    kinds    TEXT NOT NULL CHECK (json_valid(kinds)),
    PRIMARY KEY (proxy, class)
) STRICT, WITHOUT ROWID;

CREATE INDEX alerts_unpaged_by_time ON alerts_unpaged (since_ms);
