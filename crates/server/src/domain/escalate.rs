//! A request has waited for long: the groups to which its rules are escalated are told, each entry of a rule once. That they may
//! approve from then on follows from the time ([`crate::access::rules::escalated`]), whether it is said or not.

use breakglass_api::events::EventType;
use serde_json::{Value, json};

use crate::access::rules::{Need, escalations};
use crate::app::App;
use crate::clock::Moment;
use crate::config::{Config, Escalation};
use crate::duration;
use crate::needed;
use crate::store::{Happened, Noticed, Request, State, StoreError};

/// An entry of a rule's `escalate` for a request that still lacks approvals by that rule.
struct Entry<'a> {
    rule: &'a str,
    /// Its place in the rule, from 1.
    number: usize,
    escalation: &'a Escalation,
    /// When the request reaches it, before it lapses.
    at: Moment,
}

impl Entry<'_> {
    fn said(&self) -> Value {
        json!({
            "rule": self.rule, "entry": self.number, "to": self.escalation.to,
            "after": duration::format(self.escalation.after),
        })
    }

    /// Whether an event of the request says that these groups are asked by the rule. Not by its place: in a configuration that
    /// changed since then, another entry may stand there, whose groups were not told.
    fn is_in(&self, events: &[Value]) -> bool {
        events.iter().any(|data| {
            data.get("rule") == Some(&json!(self.rule))
                && data.get("to") == Some(&json!(self.escalation.to))
        })
    }
}

/// Says which entries a pending request has reached by now. Returns when it reaches the next one: nothing where none is known.
///
/// # Errors
/// [`StoreError`] if the database does not do all of it: then none of it is done.
pub async fn escalate(app: &App, now: Moment, id: &str) -> Result<Option<Moment>, StoreError> {
    let config = app.config();
    let is_pending = |request: &Request| request.state == State::Pending;
    let Some(request) = app.store().request(now, id).await?.filter(is_pending) else {
        return Ok(None);
    };
    let needed = needed::of_request(&config, &request, now);
    let entries = entries(&config, &needed.lacking(), &request);
    let next = entries.iter().map(|entry| entry.at).filter(|at| *at > now).min();
    if entries.iter().all(|entry| entry.at > now) {
        return Ok(next);
    }
    let known = app.store().said_of(id, EventType::Escalated).await?;
    if entries.iter().all(|entry| entry.at > now || entry.is_in(&known)) {
        return Ok(next);
    }
    let (mut change, request) = app.store().change_of(now, id).await?;
    // Decided meanwhile.
    let Some(request) = request.filter(is_pending) else {
        change.abandon().await?;
        return Ok(None);
    };
    // Another process may have said it.
    let known = change.said_of(id, EventType::Escalated).await?;
    let due = entries.iter().filter(|entry| entry.at <= now && !entry.is_in(&known));
    let happened: Vec<Happened<'_>> = due
        .map(|entry| {
            let (event, data) = (EventType::Escalated, entry.said());
            Happened::Noticed(Noticed { event, request: &request, data })
        })
        .collect();
    if happened.is_empty() {
        change.abandon().await?;
        return Ok(next);
    }
    change.record(now, &happened).await?.commit().await?;
    app.noted();
    tracing::info!(request = id, entries = happened.len(), "escalated");
    Ok(next)
}

/// The entries that the request reaches before it lapses, of the rules that lack approvals, each once.
fn entries<'a>(config: &'a Config, lacking: &[&'a Need], request: &Request) -> Vec<Entry<'a>> {
    let mut entries: Vec<Entry<'a>> = Vec::new();
    let until = Moment::from_seconds(request.lapses_at);
    for need in lacking {
        let Some(rule) = need.rule.as_deref() else { continue };
        // What was fixed and what is asked for now may be two needs by one rule.
        if entries.iter().any(|entry| entry.rule == rule) {
            continue;
        }
        let reached = (1..).zip(escalations(config, need)).filter_map(|(number, escalation)| {
            let at = escalation.reached_at(request.submitted_at, until)?;
            Some(Entry { rule, number, escalation, at })
        });
        entries.extend(reached);
    }
    entries
}
