-- A requester takes the grant of an emergency alone, as its rules say.

-- Why the grant of a request exists, or would: fixed at submission. Requests of before were for other people to approve.
ALTER TABLE requests ADD COLUMN basis TEXT NOT NULL DEFAULT 'approved'
    CHECK (basis IN ('approved', 'emergency', 'pre_approved'));

CREATE TRIGGER requests_basis_frozen BEFORE UPDATE OF basis ON requests
BEGIN
    SELECT RAISE(ABORT, 'a request is frozen at submission');
END;

-- Without an approval there is a grant only of an emergency in whose way nothing was, and only at its submission.
DROP TRIGGER requests_granted_by_approval;

CREATE TRIGGER requests_granted_by_approval BEFORE UPDATE OF approved_at ON requests
WHEN NEW.approved_at IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM approvals WHERE request_id = NEW.id)
    AND NOT (NEW.basis IS 'emergency'
        AND NEW.emergency IS 1
        AND NEW.approved_at IS NEW.submitted_at
        AND json_extract(NEW.needs, '$.emergency.obstacles') IS '[]')
BEGIN
    SELECT RAISE(ABORT, 'no grant without an approval');
END;

-- A person's emergencies are counted at each submission of another one.
CREATE INDEX requests_by_emergency ON requests (requester, approved_at) WHERE basis = 'emergency';

-- The trail has one more word: `take_emergency`. The migration of reviews, which comes with this one, copies `audit` for both.
