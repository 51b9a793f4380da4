-- A session that began by a device code (RFC 8628): the address of the device that asked for the code, and that of the
-- browser in which the person signed in, as JSON. NULL for every other session, and for each of an earlier version.
ALTER TABLE authorization_codes ADD COLUMN device TEXT CHECK (json_valid(device));
ALTER TABLE sessions ADD COLUMN device TEXT CHECK (json_valid(device));
