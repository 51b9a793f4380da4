-- Each event is a link of one chain: it has the hash of the link before it and its own, and a signature over that by a key
-- that is not in the database. Events of before have none; the first link's `prev` covers all of them.
ALTER TABLE events ADD COLUMN prev TEXT CHECK (length(prev) = 64);
ALTER TABLE events ADD COLUMN hash TEXT CHECK (length(hash) = 64);
ALTER TABLE events ADD COLUMN kid TEXT;
ALTER TABLE events ADD COLUMN signature TEXT;

-- The hash of the last link: taken with the place, under the same lock. The service writes the first one when it opens the
-- database.
ALTER TABLE positions ADD COLUMN head TEXT CHECK (length(head) = 64);
