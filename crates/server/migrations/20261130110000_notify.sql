-- How people are told of what concerns them.

-- Whether the provider says that it has verified `mail`. Of accounts of before it is not known, until the provider is asked
-- again: nothing is sent to them until then.
ALTER TABLE accounts ADD COLUMN mail_verified INTEGER NOT NULL DEFAULT 0 CHECK (mail_verified IN (0, 1));

-- What a person has said of it. No right, and so not on the trail. Without a row: by mail, where an address is known.
CREATE TABLE notify_preferences (
    person TEXT PRIMARY KEY NOT NULL,
    mail   INTEGER NOT NULL CHECK (mail IN (0, 1))
) STRICT, WITHOUT ROWID;
