//! Reviews in words.

use breakglass_api::alerts::Alert;
use breakglass_api::reviews::{ReviewDecision, SignableBy};
use breakglass_api::uses::Use;
use breakglass_server::clock::Moment;

use super::describe::request as describe;
use super::when::instant;
use crate::answer::{Review, ReviewInFull, ReviewState, one_line};

/// A review with all that its reviewer looks at, one line for each thing.
pub(super) fn in_full(seen: &ReviewInFull, now: Option<Moment>) -> String {
    let mut lines = Vec::new();
    let mut add = |label: &str, value: &str| lines.push(format!("{label:<10}{}", one_line(value)));
    let review = &seen.review;
    add("review", &review.id);
    add("state", review.state.word());
    add("rules", &review.rules.join(", "));
    if let Some(at) = &review.due_at {
        add("due", &instant(at, now));
    }
    if review.needs_approval {
        add("overdue", "the requester's emergencies then take an approval");
    }
    add("reviewers", &reviewers(seen));
    lines.push(describe(&seen.granted, now));
    let mut add = |label: &str, value: &str| lines.push(format!("{label:<10}{}", one_line(value)));
    match &seen.ended {
        None => add("ended", "not yet: it is reviewed from then on"),
        Some(end) => {
            let by = end.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
            let why = end.reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            add("ended", &format!("{}{by} at {}{why}", end.how.word(), instant(&end.at, now)));
        }
    }
    for approval in &seen.approvals {
        let groups = approval.groups.as_ref().map(|groups| format!(" as {}", groups.join(", ")));
        let note = approval.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
        let (by, at) = (&approval.by, instant(&approval.at, now));
        add("approval", &format!("by {by}{} at {at}{note}", groups.unwrap_or_default()));
    }
    for mutual in &seen.mutual_approvals {
        let (requester, approver, request) = (&review.requester, &mutual.approver, &mutual.request);
        let at = instant(&mutual.at, now);
        add("mutual", &format!("{requester} approved {request} of {approver} at {at}"));
    }
    match &seen.alerts {
        None => add("alerts", "not known now"),
        Some(alerts) => alerts.iter().for_each(|one| add("alert", &alert(one, now))),
    }
    for rotation in &seen.granted.rotations {
        add("rotation", &format!("{} {}", rotation.hook, rotation.state.word()));
    }
    match &seen.used {
        None => add("used", "not known"),
        Some(used) => {
            used.uses.iter().for_each(|one| add("used", &use_of(one)));
            if used.other_records > 0 {
                add("used", &format!("{} other records", used.other_records));
            }
        }
    }
    if let Some(decision) = &review.decision {
        add(review.state.word(), &decided(decision, now));
    }
    add("digest", &seen.digest);
    lines.join("\n")
}

/// A review on one line, which begins with its id and its state.
pub(super) fn line(review: &Review, now: Option<Moment>) -> String {
    let mut parts = vec![
        review.id.clone(),
        format!("{:<8}", review.state.word()),
        review.requester.clone(),
        review.scopes.join(", "),
        review.grant.clone(),
    ];
    let waits =
        [ReviewState::Owed, ReviewState::Overdue].iter().any(|state| review.state == *state);
    let due = review.due_at.as_ref().filter(|_| waits);
    parts.extend(due.map(|at| format!("due {}", instant(at, now))));
    parts.extend(review.decision.as_ref().map(|decision| decided(decision, now)));
    one_line(&parts.join("  "))
}

fn reviewers(seen: &ReviewInFull) -> String {
    match seen.signable_by.known() {
        Some(SignableBy::NoOne) => {
            "no person may sign it: all who could have approved the grant took part; add people to a group of its rules".to_owned()
        }
        Some(SignableBy::People) => seen.signers.join(", "),
        Some(SignableBy::Unknown) | None => "not known now".to_owned(),
    }
}

fn decided(decision: &ReviewDecision, now: Option<Moment>) -> String {
    let note = decision.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
    let log = decision
        .log
        .as_ref()
        .map(|log| format!(" (of the log: {}, {} records)", log.verdict, log.checked));
    let (by, at) = (&decision.by, instant(&decision.at, now));
    format!("by {by} at {at}{note}{}", log.unwrap_or_default())
}

fn alert(one: &Alert, now: Option<Moment>) -> String {
    let said = one.data.alert.as_ref();
    let part = |text: Option<&String>| text.map(|text| format!(" {text}")).unwrap_or_default();
    let method = part(said.and_then(|said| said.method.as_ref()));
    let path = part(said.and_then(|said| said.path.as_ref()));
    let kind = one.kind.strip_prefix(breakglass_api::alerts::TYPE_PREFIX).unwrap_or(&one.kind);
    format!("{} x {kind}{method}{path}, last at {}", one.count, instant(&one.seen_at, now))
}

fn use_of(one: &Use) -> String {
    let part = |text: Option<&String>| text.map(|text| format!(" {text}")).unwrap_or_default();
    let (rule, scope) = (part(one.rule.as_ref()), part(one.scope.as_ref()));
    format!("{} x {} {}{rule}{scope}", one.records, one.outcome, one.method)
}
