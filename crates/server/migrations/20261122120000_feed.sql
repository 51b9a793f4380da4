-- Which feed of revocations this is: epochs of one database mean nothing in another one.
--
-- The id can be changed and nothing is lost by it: every proxy reads the whole feed once more.
-- After a backup was restored it has to be, because epochs are then given a second time.

CREATE TABLE feed (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    id       TEXT NOT NULL CHECK (id <> '')
) STRICT;

INSERT INTO feed (only_row, id) VALUES (1, lower(hex(randomblob(16))));

CREATE TRIGGER feed_kept BEFORE DELETE ON feed
BEGIN
    SELECT RAISE(ABORT, 'the feed has an id');
END;
