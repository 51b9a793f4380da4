-- People who are known by their sign-in at an identity provider, and their sessions. What a client presents is kept as
-- SHA-256 alone: who reads the database can call with nothing of it.

-- A person at an identity provider. Rows stay: requests, approvals and the trail name them.
CREATE TABLE accounts (
    -- `<provider>:<subject>`: the `sub` of tokens, and the actor on the trail. It is opaque, and never another person's.
    name           TEXT PRIMARY KEY NOT NULL CHECK (name <> ''),
    -- The name of the provider's entry in the configuration.
    provider       TEXT NOT NULL,
    issuer         TEXT NOT NULL,
    subject        TEXT NOT NULL,
    -- For showing: they change, and may be another person's tomorrow.
    shown_name     TEXT,
    mail           TEXT,
    -- The groups, as JSON; NULL where the provider did not say, and then why.
    groups         TEXT CHECK (json_valid(groups)),
    groups_unknown TEXT,
    -- When the provider said so, and when the person signed in last, in seconds.
    groups_at      INTEGER NOT NULL,
    signed_in_at   INTEGER NOT NULL,

    CONSTRAINT one_person UNIQUE (issuer, subject),
    CONSTRAINT groups_or_why CHECK ((groups IS NULL) = (groups_unknown IS NOT NULL))
) STRICT;

-- Who the person is does not change: a name that was given is never another person's.
CREATE TRIGGER accounts_same BEFORE UPDATE OF name, provider, issuer, subject ON accounts
WHEN NEW.name <> OLD.name OR NEW.provider <> OLD.provider OR NEW.issuer <> OLD.issuer OR NEW.subject <> OLD.subject
BEGIN
    SELECT RAISE(ABORT, 'an account is one person for good');
END;

CREATE TRIGGER accounts_kept BEFORE DELETE ON accounts
BEGIN
    SELECT RAISE(ABORT, 'accounts are kept');
END;

CREATE TABLE sessions (
    id                        TEXT PRIMARY KEY NOT NULL,
    account                   TEXT NOT NULL REFERENCES accounts (name),
    -- The client that holds it, such as `breakglass-cli`, and the address from which it took it.
    client                    TEXT NOT NULL,
    source                    TEXT,
    -- How the person authenticated, where a level was asked for and reached: as JSON.
    factor                    TEXT CHECK (json_valid(factor)),
    -- In seconds: it ends at `ends_at`, and before that where no refresh token of it is used for as long as may be.
    began_at                  INTEGER NOT NULL,
    ends_at                   INTEGER NOT NULL,
    used_at                   INTEGER NOT NULL,
    -- The part that all refresh tokens of the session have in common. A refresh token with it that is neither of the two
    -- below was used before, or became void: no row is kept of each.
    handle_sha256             BLOB NOT NULL UNIQUE CHECK (length(handle_sha256) = 32),
    -- The refresh token that was given last and not used yet; the one before, and when it was used, in milliseconds.
    refresh_sha256            BLOB NOT NULL CHECK (length(refresh_sha256) = 32),
    previous_refresh_sha256   BLOB CHECK (length(previous_refresh_sha256) = 32),
    previous_used_at_ms       INTEGER,
    -- The two access tokens that were given last.
    access_sha256             BLOB NOT NULL CHECK (length(access_sha256) = 32),
    access_expires_at         INTEGER NOT NULL,
    previous_access_sha256    BLOB CHECK (length(previous_access_sha256) = 32),
    previous_access_expires_at INTEGER,
    -- When it was ended before its time, by which person or `service`, and why.
    ended_at                  INTEGER,
    ended_by                  TEXT,
    end_reason                TEXT,

    CONSTRAINT previous_and_when CHECK ((previous_refresh_sha256 IS NULL) = (previous_used_at_ms IS NULL)),
    CONSTRAINT previous_access_and_when CHECK ((previous_access_sha256 IS NULL) = (previous_access_expires_at IS NULL)),
    CONSTRAINT ended_by_and_why CHECK (
        (ended_at IS NULL) = (ended_by IS NULL) AND (ended_at IS NULL) = (end_reason IS NULL)
    )
) STRICT;

CREATE INDEX sessions_by_account ON sessions (account, id);
CREATE INDEX sessions_by_end ON sessions (ends_at);

CREATE TRIGGER sessions_end_once BEFORE UPDATE ON sessions
WHEN OLD.ended_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'the session has ended');
END;

-- Each stays for a while after it was used, because a second use ends the session that it made.
CREATE TABLE authorization_codes (
    sha256         BLOB PRIMARY KEY NOT NULL CHECK (length(sha256) = 32),
    account        TEXT NOT NULL REFERENCES accounts (name),
    -- What it is bound to (RFC 6749 section 4.1.3, RFC 7636).
    client         TEXT NOT NULL,
    redirect_uri   TEXT NOT NULL,
    code_challenge TEXT NOT NULL,
    factor         TEXT CHECK (json_valid(factor)),
    expires_at     INTEGER NOT NULL,
    -- The session that it made.
    session        TEXT REFERENCES sessions (id)
) STRICT, WITHOUT ROWID;

CREATE INDEX authorization_codes_by_account ON authorization_codes (account);
CREATE INDEX authorization_codes_by_session ON authorization_codes (session);
CREATE INDEX authorization_codes_by_end ON authorization_codes (expires_at);

CREATE TRIGGER authorization_codes_used_once BEFORE UPDATE ON authorization_codes
WHEN OLD.session IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'the code was used');
END;
