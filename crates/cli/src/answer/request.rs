//! Requests: `GET /v1/requests`, `/v1/requests/{id}`, and the answers of those that change one.

use breakglass_api::request::{Grant, Request, Requests, State};

use super::{Body, Mismatch, Word, check_id};

/// What is checked of an answer by the verb that asked for a request, or changed one.
pub trait Asked {
    /// Checks that this is the request with this id.
    ///
    /// # Errors
    /// [`Mismatch`] if it is another one.
    fn is(&self, id: &str) -> Result<(), Mismatch>;

    /// Checks that this is the request with this id, in this state.
    ///
    /// # Errors
    /// [`Mismatch`] if it is another one, or elsewhere.
    fn is_now(&self, id: &str, state: impl Into<Word<State>>) -> Result<(), Mismatch>;

    /// Checks that this is the request with this id, and that its grant holds: `approved`, or `active` already.
    ///
    /// # Errors
    /// [`Mismatch`] if it is another one, or elsewhere.
    fn is_granted(&self, id: &str) -> Result<&Grant, Mismatch>;

    /// Checks that it is this pending request, with approvals that it did not have in `earlier`, the last one of what was shown,
    /// and with something that others have to approve.
    ///
    /// # Errors
    /// [`Mismatch`] names the member that is wrong.
    fn is_approved_once_more(&self, id: &str, earlier: &Request) -> Result<(), Mismatch>;

    /// Checks that nothing that an approver is shown differs from what `earlier` showed.
    ///
    /// # Errors
    /// [`Mismatch`] names the first member that does.
    fn asks_the_same_as(&self, earlier: &Request) -> Result<(), Mismatch>;
}

impl Asked for Request {
    fn is(&self, id: &str) -> Result<(), Mismatch> {
        Mismatch::check("id", id, &self.id)
    }

    fn is_now(&self, id: &str, state: impl Into<Word<State>>) -> Result<(), Mismatch> {
        self.is(id)?;
        Mismatch::check("state", state.into().word(), self.state.word())
    }

    fn is_granted(&self, id: &str) -> Result<&Grant, Mismatch> {
        // The requester, who waits for it, may have taken the token before the answer was written.
        if self.state != State::Active {
            self.is_now(id, State::Approved)?;
        }
        self.is(id)?;
        // Without one it is not read.
        let none = || Mismatch { member: "grant", expected: "a grant".into(), got: "none".into() };
        self.grant.as_ref().ok_or_else(none)
    }

    fn is_approved_once_more(&self, id: &str, earlier: &Request) -> Result<(), Mismatch> {
        self.is_now(id, State::Pending)?;
        let wrong = |member, expected: &str, got: String| Mismatch {
            member,
            expected: expected.to_owned(),
            got,
        };
        let (before, now) = (earlier.approvals.len(), self.approvals.len());
        if now <= before {
            return Err(wrong("approvals", "one more than before", now.to_string()));
        }
        let last = self.approvals.last().and_then(|last| last.digest.as_deref());
        Mismatch::check(
            "approvals.digest",
            self.digest.as_deref().unwrap_or_default(),
            last.unwrap_or_default(),
        )?;
        match self.needs.is_empty() {
            true => Err(wrong("needs", "what others have to approve", "nothing".to_owned())),
            false => Ok(()),
        }
    }

    fn asks_the_same_as(&self, earlier: &Request) -> Result<(), Mismatch> {
        let extends = |request: &Request| {
            request.extends.as_ref().map(|parent| parent.id.clone()).unwrap_or_default()
        };
        let incident = |request: &Request| request.incident.clone().unwrap_or_default();
        let digest = |request: &Request| request.digest.clone().unwrap_or_default();
        let emergency = |request: &Request| request.emergency.to_string();
        for (member, expected, got) in [
            ("requester", earlier.requester.clone(), self.requester.clone()),
            ("audience", earlier.audience.clone(), self.audience.clone()),
            ("scopes", earlier.scopes.join(" "), self.scopes.join(" ")),
            ("duration", earlier.duration.clone(), self.duration.clone()),
            ("reason", earlier.reason.clone(), self.reason.clone()),
            ("incident", incident(earlier), incident(self)),
            ("emergency", emergency(earlier), emergency(self)),
            ("extends", extends(earlier), extends(self)),
            ("digest", digest(earlier), digest(self)),
        ] {
            Mismatch::check(member, &expected, &got)?;
        }
        Ok(())
    }
}

impl Body for Request {
    const NAME: &'static str = "a request";

    fn check(&self) -> Result<(), String> {
        check_id("id", &self.id)?;
        if self.scopes.is_empty() {
            return Err("scopes: expected at least one".to_owned());
        }
        if let Some(grant) = &self.grant {
            check_id("grant.id", &grant.id)?;
        }
        if let Some(parent) = &self.extends {
            check_id("extends.id", &parent.id)?;
        }
        let revoked = self.grant.as_ref().is_some_and(|grant| grant.revoked.is_some());
        let (member, there) = match self.state.known() {
            Some(State::Approved | State::Active | State::Expired) => {
                ("grant", self.grant.is_some())
            }
            Some(State::Revoked) => ("grant.revoked", revoked),
            Some(State::Denied) => ("denied", self.denied.is_some()),
            Some(State::Cancelled) => ("cancelled_at", self.cancelled_at.is_some()),
            Some(State::Pending | State::Lapsed) | None => return Ok(()),
        };
        if !there {
            return Err(format!("{} without `{member}`", self.state.word()));
        }
        Ok(())
    }
}

impl Body for Requests {
    const NAME: &'static str = "a list of requests";

    fn check(&self) -> Result<(), String> {
        for (index, request) in self.requests.iter().enumerate() {
            request.check().map_err(|error| format!("requests[{index}]: {error}"))?;
        }
        Ok(())
    }
}
