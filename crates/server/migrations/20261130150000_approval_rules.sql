-- Several people approve a request, as its rules say.

-- What it needs, fixed at submission, and what its requester held before: none for requests of the version before, which need
-- what the configuration says.
ALTER TABLE requests ADD COLUMN needs TEXT CHECK (json_valid(needs) AND json_type(needs) = 'object');

CREATE TRIGGER requests_needs_frozen BEFORE UPDATE OF needs ON requests
BEGIN
    SELECT RAISE(ABORT, 'a request is frozen at submission');
END;

-- The groups of the approver that rules named, as they were when the approval was given.
ALTER TABLE approvals ADD COLUMN approver_groups TEXT CHECK (json_valid(approver_groups) AND json_type(approver_groups) = 'array');

-- What a person held lately is summed up at each submission: not over all that the person ever asked for.
CREATE INDEX requests_by_requester_lately ON requests (requester, submitted_at);
