-- The kill switch looks at what has not ended, not at all that ever was.
CREATE INDEX requests_by_end ON requests (expires_at) WHERE jti IS NOT NULL;
