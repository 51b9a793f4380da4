-- The rules that digests stand for, in their canonical form (docs/scope-digests.md): what a request asked for, and an
-- approver read, can be shown after the definition has changed. Requests of the version before have their digests alone.

CREATE TABLE scope_rules (
    digest TEXT PRIMARY KEY NOT NULL CHECK (length(digest) = 64),
    rules  TEXT NOT NULL CHECK (json_valid(rules))
) STRICT, WITHOUT ROWID;

-- INSERT OR REPLACE would delete without the delete trigger.
CREATE TRIGGER scope_rules_not_replaced BEFORE INSERT ON scope_rules
WHEN EXISTS (SELECT 1 FROM scope_rules WHERE digest = NEW.digest)
BEGIN
    SELECT RAISE(ABORT, 'a digest stands for one set of rules');
END;

CREATE TRIGGER scope_rules_not_updated BEFORE UPDATE ON scope_rules
BEGIN
    SELECT RAISE(ABORT, 'a digest stands for one set of rules');
END;

CREATE TRIGGER scope_rules_kept BEFORE DELETE ON scope_rules
BEGIN
    SELECT RAISE(ABORT, 'rules are kept');
END;
