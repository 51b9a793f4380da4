//! Grants in words: what was granted of what was asked for, by whom, and until when.

use breakglass_api::request::Approval;
use breakglass_server::clock::{Moment, meant};
use breakglass_server::duration;
use breakglass_types::Basis;

use super::when::instant;
use crate::answer::{Grant, Instant, Refusal, Request, State};

/// Who approved a grant, in words.
pub(super) fn by(grant: &Grant) -> String {
    match &grant.approved_by {
        Some(name) => format!("approved by {name}"),
        None => "taken without an approval, in an emergency".to_owned(),
    }
}

/// The scopes of a grant.
pub(super) fn scopes<'r>(request: &'r Request, grant: &'r Grant) -> &'r [String] {
    // An older service does not say, and grants what was asked for.
    if grant.scopes.is_empty() { &request.scopes } else { &grant.scopes }
}

/// What was asked for and not granted.
pub(super) fn left_out(request: &Request, grant: &Grant) -> Vec<String> {
    let granted = scopes(request, grant);
    request.scopes.iter().filter(|scope| !granted.contains(scope)).cloned().collect()
}

/// For how long it was granted, such as `10m`.
pub(super) fn granted_duration<'r>(request: &'r Request, grant: &'r Grant) -> &'r str {
    let shorter = grant.approvals.iter().filter_map(|approval| approval.duration.as_deref());
    let shortest = shorter.min_by_key(|text| duration::parse(text).unwrap_or(i64::MAX));
    shortest.unwrap_or(&request.duration)
}

/// Until when its first token has to be taken, where it was not taken yet.
pub(super) fn take_by<'r>(request: &'r Request, grant: &'r Grant) -> Option<&'r Instant> {
    let waits = request.state == State::Approved && grant.activated_at.is_none();
    grant.activate_by.as_ref().filter(|_| waits)
}

/// When a grant lapsed whose token was not taken in time.
pub(super) fn lapsed(request: &Request) -> Option<&Instant> {
    let grant = request.grant.as_ref().filter(|_| request.state == State::Lapsed);
    grant.and_then(|grant| grant.activate_by.as_ref())
}

/// What there is to say of the grant of a request: labels, each with what follows.
pub(super) fn facts(request: &Request, now: Option<Moment>) -> Vec<(&'static str, String)> {
    let Some(grant) = &request.grant else { return Vec::new() };
    let mut facts = vec![("grant", grant.id.clone())];
    let left_out = left_out(request, grant);
    if !left_out.is_empty() {
        facts.push(("granted", scopes(request, grant).join(", ")));
        facts.push(("left out", left_out.join(", ")));
    }
    let basis = grant.basis.as_ref().filter(|basis| **basis != Basis::Approved);
    facts.extend(basis.map(|basis| ("basis", basis.word().to_owned())));
    facts.extend(approvals(grant, now).into_iter().map(|approval| ("approved", approval)));
    if let Some(digest) = &grant.configuration {
        facts.push(("config", digest.clone()));
    }
    if let Some(at) = take_by(request, grant) {
        let command = format!("breakglass token {}", request.id);
        facts.push(("take by", format!("{}: `{command}`", instant(at, now))));
    }
    if let Some(at) = &grant.activated_at {
        facts.push(("activated", instant(at, now)));
    }
    if let Some(at) = lapsed(request) {
        facts.push(("lapsed", format!("{}: its token was not taken in time", instant(at, now))));
    } else {
        let ended = now.is_some_and(|now| meant(&grant.expires_at) <= now);
        let ended = ended || request.state == State::Expired;
        facts.push((if ended { "ended" } else { "ends" }, instant(&grant.expires_at, now)));
    }
    if let Some(Refusal { by, at, reason }) = &grant.revoked {
        let given_back = if *by == request.requester { "given back " } else { "" };
        facts.push(("revoked", format!("{given_back}by {by} at {}: {reason}", instant(at, now))));
    }
    facts
}

/// Who approved it: to what, where that is less than was asked for, and with which note.
fn approvals(grant: &Grant, now: Option<Moment>) -> Vec<String> {
    if grant.approvals.is_empty() {
        let at = instant(&grant.approved_at, now);
        return vec![match &grant.approved_by {
            // An older service names the one alone.
            Some(name) => format!("by {name} at {at}"),
            None => format!("by no person: taken in an emergency at {at}"),
        }];
    }
    each(&grant.approvals, now)
}

/// Who approved it until now, where others have to come.
pub(super) fn until_now(request: &Request, now: Option<Moment>) -> Vec<String> {
    each(&request.approvals, now)
}

fn each(approvals: &[Approval], now: Option<Moment>) -> Vec<String> {
    let words = |approval: &Approval| {
        let mut words = format!("by {} at {}", approval.by, instant(&approval.at, now));
        if let Some(scopes) = &approval.scopes {
            words.push_str(&format!(", {} alone", scopes.join(", ")));
        }
        if let Some(duration) = &approval.duration {
            words.push_str(&format!(", for {duration}"));
        }
        if let Some(note) = &approval.note {
            words.push_str(&format!(": {note}"));
        }
        words
    };
    approvals.iter().map(words).collect()
}
