//! A slow, obvious reference of the rules: plain structures, no database, written after docs/approval-service.md.

mod ask;
mod clock;
mod decide;
mod end;
mod needs;
mod request;
mod setup;

pub(crate) use clock::Clock;
pub(crate) use needs::Need;
pub(crate) use request::{Request, Yes};
pub(crate) use setup::{Person, Setup};

use crate::action::{Action, Ask};

/// What an answer is: a status, and the reason of a refusal.
pub(crate) type Answer = (u16, Option<&'static str>);

/// A refusal.
pub(crate) type Refused = (u16, &'static str);

/// Every remark, denial and revocation has this text.
pub(crate) const BECAUSE: &str = "because";

/// The state of the whole service.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub clock: Clock,
    pub setup: Setup,
    pub requests: Vec<Request>,
    keys: Vec<Key>,
}

/// A key of a submission that may be repeated.
#[derive(Debug, Clone)]
struct Key {
    person: String,
    credential: String,
    key: &'static str,
    ask: Ask,
    until: i64,
}

/// One thing that happened: one row of a trail, and one event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Happened {
    /// Of which request; none where it is the service itself.
    pub request: Option<usize>,
    pub actor: String,
    pub action: &'static str,
    pub event: &'static str,
}

/// What an action leads to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub answer: Answer,
    pub happened: Vec<Happened>,
    /// What the answer of the kill switch says: revoked, not the caller's, over already.
    pub killed: Option<(u64, u64, u64)>,
}

/// What a use case leads to where it is not refused.
#[derive(Debug, Default)]
struct Done {
    status: u16,
    happened: Vec<Happened>,
    killed: Option<(u64, u64, u64)>,
}

impl Model {
    /// A new service at this time.
    pub(crate) fn new(now: i64) -> Model {
        let clock = Clock { believed: now, wall: Some(now) };
        Model { clock, setup: Setup::first(), requests: Vec::new(), keys: Vec::new() }
    }

    /// Does it. What is refused changes nothing.
    pub(crate) fn act(&mut self, action: &Action) -> Outcome {
        match self.try_to(action) {
            Ok(Done { status, happened, killed }) => {
                Outcome { answer: (status, None), happened, killed }
            }
            Err((status, reason)) => {
                Outcome { answer: (status, Some(reason)), happened: Vec::new(), killed: None }
            }
        }
    }

    fn try_to(&mut self, action: &Action) -> Result<Done, Refused> {
        match action {
            Action::Submit(by, ask) => self.submit(&self.caller(by)?, ask),
            Action::Question(by, on) => self.question(&self.caller(by)?, *on),
            Action::Answer(by, on) => self.answer(&self.caller(by)?, *on),
            Action::Approve(by, on, approval) => self.approve(&self.caller(by)?, *on, approval),
            Action::Deny(by, on) => self.deny(&self.caller(by)?, *on),
            Action::Cancel(by, on) => self.cancel(&self.caller(by)?, *on),
            Action::Token(by, on) => self.take_token(&self.caller(by)?, *on),
            Action::Revoke(by, on) => self.revoke(&self.caller(by)?, *on),
            Action::Kill(by, target) => self.kill(&self.caller(by)?, *target),
            Action::Wait(seconds) => {
                self.clock.pass(*seconds);
                Ok(Done::default())
            }
            Action::Clock(set) => {
                self.clock.set(*set);
                Ok(Done::default())
            }
            Action::Tick => Ok(self.tick()),
            Action::Reload(reload) => {
                self.setup = Setup::of(*reload);
                Ok(self.end_leavers())
            }
        }
    }

    /// The person with this API token.
    fn caller(&self, token: &str) -> Result<Person, Refused> {
        if token == "envoy" {
            return Err((403, "people_only"));
        }
        let person = self.setup.people.iter().find(|person| person.token == token);
        person.cloned().ok_or((401, "credential_unknown"))
    }

    /// The number of the request that is meant.
    fn find(&self, on: usize) -> Result<usize, Refused> {
        crate::action::place(on, self.requests.len()).ok_or((404, "request_unknown"))
    }
}

fn happened(
    request: usize,
    actor: &str,
    action: &'static str,
    event: &'static str,
) -> Vec<Happened> {
    vec![Happened { request: Some(request), actor: actor.to_owned(), action, event }]
}
