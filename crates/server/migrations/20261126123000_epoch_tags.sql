-- Each epoch has a random tag: it tells an epoch from the same number given again, after a backup was restored,
-- commits were lost, or the file was replaced by a copy. A proxy sends it back with the epoch.
--
-- A row that comes without one gets one here, so that a revocation by hand needs none. Rows that were there
-- before get theirs now.

DROP TRIGGER revocations_final;

ALTER TABLE revocations ADD COLUMN tag TEXT NOT NULL DEFAULT '';

UPDATE revocations SET tag = lower(hex(randomblob(8)));

CREATE TRIGGER revocations_tagged AFTER INSERT ON revocations WHEN NEW.tag = ''
BEGIN
    UPDATE revocations SET tag = lower(hex(randomblob(8))) WHERE epoch = NEW.epoch;
END;

CREATE TRIGGER revocations_final BEFORE UPDATE ON revocations
WHEN OLD.tag <> '' OR NEW.tag = ''
    OR NEW.epoch IS NOT OLD.epoch OR NEW.jti IS NOT OLD.jti
    OR NEW.revoked_at_ms IS NOT OLD.revoked_at_ms OR NEW.revoked_by IS NOT OLD.revoked_by
    OR NEW.reason IS NOT OLD.reason OR NEW.expires_at IS NOT OLD.expires_at
BEGIN
    SELECT RAISE(ABORT, 'a revocation is final');
END;
