//! Submits a request once: not again while the same one is pending, and not twice where an answer was lost.
//!
//! 1. Before: if the caller has the same request pending (scopes, reason, incident, duration, emergency, and what it
//!    goes on with), that is the request; approvers are not asked twice. `--again` submits another one. If only the scopes are
//!    the same, or it is about to lapse, it is named, and the new one is submitted.
//! 2. A failure that may pass is tried again within a time, with the same `Idempotency-Key`. A service that does
//!    not know the header is asked before each attempt whether the last one arrived.

use std::collections::BTreeSet;
use std::time::Duration;

use breakglass_api::request::Ask;
use serde_json::Value;
use tokio::time::Instant;

use super::retry::Notes;
use super::when::{instant, now};
use crate::answer::{Mismatch, Request, Requests, State, Whole};
use crate::client::{Client, Failure};
use crate::terminal::Terminal;
use breakglass_server::clock::{Moment, meant};
use breakglass_server::duration;
use breakglass_server::random::Randomness;

/// For how long a submission is tried.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long to rest between two attempts.
const REST: Duration = Duration::from_secs(1);

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(20);

/// With less than this left, in milliseconds, a pending request is not waited for: another one is submitted.
const SOON_MS: i64 = 60_000;

/// The request, and whether it was there before.
pub(super) struct Submitted {
    pub(super) request: Whole<Request>,
    pub(super) earlier: bool,
}

/// Submits it, or finds it.
pub(super) fn submit(
    ask: &Ask,
    again: bool,
    client: &Client,
    terminal: Terminal,
) -> Result<Submitted, Failure> {
    let start = Instant::now();
    let key = key()?;
    // To ask, it is not needed.
    let needless =
        |failure: &Failure| failure.may_pass() || matches!(failure, Failure::Refused { .. });
    let (before, is_complete) = match pending(client) {
        Ok(before) => (before, true),
        Err(failure) if needless(&failure) => (Vec::new(), false),
        Err(failure) => return Err(failure),
    };
    if !again {
        if let Some(request) = before.iter().find(|it| ask.is(&it.body) && !lapses_soon(&it.body)) {
            return Ok(Submitted { request: request.clone(), earlier: true });
        }
        ask.note_alike(&before, terminal);
    }
    let known: BTreeSet<String> = before.into_iter().map(|request| request.body.id).collect();
    let mut notes = Notes::default();
    loop {
        let result = client.post_within("/v1/requests", ask, Some(&key), ATTEMPT);
        match result {
            Ok(request) => {
                let request: Whole<Request> = request;
                ask.check(&request.body)?;
                return Ok(Submitted { request, earlier: false });
            }
            Err(failure) if failure.may_pass() && start.elapsed() < PATIENCE => {
                notes.tell(&failure, terminal);
            }
            Err(failure) => return Err(failure),
        }
        std::thread::sleep(REST);
        if again && !is_complete {
            // One that was there before could not be told from this one.
            continue;
        }
        let arrived =
            |request: &Whole<Request>| ask.is(&request.body) && !known.contains(&request.body.id);
        if let Some(request) = pending(client).ok().and_then(|list| list.into_iter().find(arrived))
        {
            return Ok(Submitted { request, earlier: false });
        }
    }
}

/// What makes the attempts of this submission one.
fn key() -> Result<String, Failure> {
    let randomness =
        Randomness::from_system().map_err(|error| Failure::Failed(error.to_string()))?;
    // Sorted by nothing: it is a random number in the form of the other ids.
    Ok(randomness.id("ask", Moment::from_millis(0)))
}

/// The caller's own requests that can be decided, the newest first.
fn pending(client: &Client) -> Result<Vec<Whole<Request>>, Failure> {
    let listed: Whole<Requests> =
        client.get_within("/v1/requests?mine=true&state=pending&limit=200", ATTEMPT)?;
    let json = listed.json.get("requests").and_then(Value::as_array).cloned().unwrap_or_default();
    let requests = listed.body.requests.into_iter().zip(json);
    let requests = requests.filter(|(body, _)| body.state == State::Pending);
    Ok(requests.map(|(body, json)| Whole { body, json }).collect())
}

/// What an answer is to what was asked.
trait Compared {
    /// Whether `request` asks for the same.
    fn is(&self, request: &Request) -> bool;

    /// In what `request` differs.
    fn differs(&self, request: &Request) -> Vec<&'static str>;

    /// Names the requests for the same scopes that are pending.
    fn note_alike(&self, before: &[Whole<Request>], terminal: Terminal);

    /// Checks that the service took what was asked for.
    fn check(&self, request: &Request) -> Result<(), Mismatch>;
}

impl Compared for Ask {
    fn is(&self, request: &Request) -> bool {
        self.differs(request).is_empty()
    }

    fn differs(&self, request: &Request) -> Vec<&'static str> {
        let seconds = |text: &str| duration::parse(text).ok();
        [
            ("scopes", !same_scopes(&self.scopes, &request.scopes)),
            ("reason", self.reason != request.reason),
            ("incident", self.incident != request.incident),
            ("duration", seconds(&self.duration) != seconds(&request.duration)),
            ("emergency", self.emergency != request.emergency),
            ("extends", self.extends.as_deref() != extends(request)),
        ]
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect()
    }

    fn note_alike(&self, before: &[Whole<Request>], terminal: Terminal) {
        for request in before.iter().map(|request| &request.body) {
            if !same_scopes(&self.scopes, &request.scopes) {
                continue;
            }
            let differs = match self.differs(request).as_slice() {
                [] => format!("which lapses at {}", instant(&request.lapses_at, now())),
                members => format!("with another {}", members.join(", ")),
            };
            terminal.note(&format!(
                "you already have {id} pending for the same scopes, submitted at {}, {differs}; \
                 `breakglass cancel {id}` takes it back",
                instant(&request.submitted_at, now()),
                id = request.id,
            ));
        }
    }

    fn check(&self, request: &Request) -> Result<(), Mismatch> {
        if !same_scopes(&self.scopes, &request.scopes) {
            return Mismatch::check("scopes", &self.scopes.join(" "), &request.scopes.join(" "));
        }
        Mismatch::check("reason", &self.reason, &request.reason)?;
        let incident = |incident: &Option<String>| incident.clone().unwrap_or_default();
        Mismatch::check("incident", &incident(&self.incident), &incident(&request.incident))?;
        let parent = self.extends.as_deref().unwrap_or_default();
        Mismatch::check("extends", parent, extends(request).unwrap_or_default())
    }
}

/// The request whose grant it goes on with.
fn extends(request: &Request) -> Option<&str> {
    request.extends.as_ref().map(|parent| parent.id.as_str())
}

/// Whether it may be over before an approver has read it.
fn lapses_soon(request: &Request) -> bool {
    let left = |now: Moment| meant(&request.lapses_at).millis().saturating_sub(now.millis());
    now().is_some_and(|now| left(now) < SOON_MS)
}

fn same_scopes(left: &[String], right: &[String]) -> bool {
    let sorted = |scopes: &[String]| scopes.iter().cloned().collect::<BTreeSet<String>>();
    sorted(left) == sorted(right)
}
