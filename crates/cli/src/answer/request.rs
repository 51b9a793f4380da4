//! Requests: `GET /v1/requests`, `/v1/requests/{id}`, and the answers of those that change one.

use serde::Deserialize;

use super::{Body, Instant, Mismatch, check_id, nullable};

/// A request, and what has become of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Request {
    /// Its id.
    pub id: String,
    /// Where it is.
    pub state: State,
    /// Whose it is.
    pub requester: String,
    /// The environment.
    pub audience: String,
    /// What it asks for.
    pub scopes: Vec<String>,
    /// Why.
    pub reason: String,
    /// The incident, if one was named.
    #[serde(deserialize_with = "nullable")]
    pub incident: Option<String>,
    /// Whether the requester marked it as an emergency.
    pub emergency: bool,
    /// For how long from the approval on, such as `30m`.
    pub duration: String,
    /// When it was submitted.
    pub submitted_at: Instant,
    /// Until when it can be decided.
    pub lapses_at: Instant,
    /// Who may approve it, while it is pending.
    #[serde(default)]
    pub approvers: Vec<String>,
    /// What was approved.
    #[serde(default)]
    pub grant: Option<Grant>,
    /// The denial.
    #[serde(default)]
    pub denied: Option<Refusal>,
    /// When the requester took it back.
    #[serde(default)]
    pub cancelled_at: Option<Instant>,
}

/// What was approved.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Grant {
    /// Its id.
    pub id: String,
    /// Who approved it.
    pub approved_by: String,
    /// When.
    pub approved_at: Instant,
    /// When it ends.
    pub expires_at: Instant,
    /// Its revocation.
    #[serde(default)]
    pub revoked: Option<Refusal>,
}

/// A denial or a revocation.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Refusal {
    /// By this person.
    pub by: String,
    /// When.
    pub at: Instant,
    /// Why.
    pub reason: String,
}

/// Where a request is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum State {
    /// It can be decided.
    Pending,
    /// Its grant holds.
    Approved,
    /// The answer is no.
    Denied,
    /// The requester took it back.
    Cancelled,
    /// Its time to be decided ran out.
    Lapsed,
    /// Its grant has ended.
    Expired,
    /// Its grant was revoked.
    Revoked,
    /// A state of a newer service.
    Other(String),
}

impl State {
    /// The service's word for it.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            State::Pending => "pending",
            State::Approved => "approved",
            State::Denied => "denied",
            State::Cancelled => "cancelled",
            State::Lapsed => "lapsed",
            State::Expired => "expired",
            State::Revoked => "revoked",
            State::Other(word) => word,
        }
    }
}

impl From<String> for State {
    fn from(word: String) -> State {
        let known = [
            State::Pending,
            State::Approved,
            State::Denied,
            State::Cancelled,
            State::Lapsed,
            State::Expired,
            State::Revoked,
        ];
        known.into_iter().find(|state| state.word() == word).unwrap_or(State::Other(word))
    }
}

impl Request {
    /// Checks that this is the request with this id.
    ///
    /// # Errors
    /// [`Mismatch`] if it is another one.
    pub fn is(&self, id: &str) -> Result<(), Mismatch> {
        Mismatch::check("id", id, &self.id)
    }

    /// Checks that this is the request with this id, in this state.
    ///
    /// # Errors
    /// [`Mismatch`] if it is another one, or elsewhere.
    pub fn is_now(&self, id: &str, state: &State) -> Result<(), Mismatch> {
        self.is(id)?;
        Mismatch::check("state", state.word(), self.state.word())
    }

    /// Checks that nothing that an approver is shown differs from what `earlier` showed.
    ///
    /// # Errors
    /// [`Mismatch`] names the first member that does.
    pub fn asks_the_same_as(&self, earlier: &Request) -> Result<(), Mismatch> {
        let incident = |request: &Request| request.incident.clone().unwrap_or_default();
        let emergency = |request: &Request| request.emergency.to_string();
        for (member, expected, got) in [
            ("requester", earlier.requester.clone(), self.requester.clone()),
            ("audience", earlier.audience.clone(), self.audience.clone()),
            ("scopes", earlier.scopes.join(" "), self.scopes.join(" ")),
            ("duration", earlier.duration.clone(), self.duration.clone()),
            ("reason", earlier.reason.clone(), self.reason.clone()),
            ("incident", incident(earlier), incident(self)),
            ("emergency", emergency(earlier), emergency(self)),
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
        let revoked = self.grant.as_ref().is_some_and(|grant| grant.revoked.is_some());
        let (member, there) = match self.state {
            State::Approved | State::Expired => ("grant", self.grant.is_some()),
            State::Revoked => ("grant.revoked", revoked),
            State::Denied => ("denied", self.denied.is_some()),
            State::Cancelled => ("cancelled_at", self.cancelled_at.is_some()),
            State::Pending | State::Lapsed | State::Other(_) => return Ok(()),
        };
        if !there {
            return Err(format!("{} without `{member}`", self.state.word()));
        }
        Ok(())
    }
}

/// A page of requests.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Requests {
    /// The newest first.
    pub requests: Vec<Request>,
    /// Where the next page begins. Services before this member have one page only.
    #[serde(default)]
    pub next: Option<String>,
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
