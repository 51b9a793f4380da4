-- What was approved is what was shown: the digests of the rules of a request's scopes, by their names, as the service's
-- definitions said at submission. Requests of the version before have none.
ALTER TABLE requests ADD COLUMN scope_digests TEXT NOT NULL DEFAULT '{}'
    CHECK (json_valid(scope_digests) AND json_type(scope_digests) = 'object');

CREATE TRIGGER requests_digests_frozen BEFORE UPDATE OF scope_digests ON requests
BEGIN
    SELECT RAISE(ABORT, 'a request is frozen at submission');
END;
