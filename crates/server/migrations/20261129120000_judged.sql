-- What is kept of a sign-in at an identity provider, so that the person's groups can be asked for again: sealed with a key
-- that is not in the database, and bound to the code or the session. It goes when that ends.
ALTER TABLE authorization_codes ADD COLUMN provider_session BLOB;
ALTER TABLE sessions ADD COLUMN provider_session BLOB;

CREATE INDEX authorization_codes_at_provider ON authorization_codes (expires_at) WHERE provider_session IS NOT NULL;
CREATE INDEX sessions_at_provider_by_end ON sessions (ends_at) WHERE provider_session IS NOT NULL;
CREATE INDEX sessions_at_provider_by_use ON sessions (used_at) WHERE provider_session IS NOT NULL;

-- People who lost a group that a scope needs, by a complete answer of their provider: for as long as it takes to see whether
-- many do, and where many do, until an administrator lets their grants end, the group is seen again, or the grants are over.
CREATE TABLE group_losses (
    account    TEXT NOT NULL REFERENCES accounts (name),
    group_name TEXT NOT NULL,
    -- In seconds.
    lost_at    INTEGER NOT NULL,
    -- Where the end of grants that need the group waits for an administrator: when the last of them is over, in seconds.
    held_until INTEGER,

    PRIMARY KEY (account, group_name)
) STRICT, WITHOUT ROWID;

CREATE INDEX group_losses_by_group ON group_losses (group_name, lost_at);
CREATE INDEX group_losses_by_time ON group_losses (lost_at) WHERE held_until IS NULL;
CREATE INDEX group_losses_held ON group_losses (held_until) WHERE held_until IS NOT NULL;
