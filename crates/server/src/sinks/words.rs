//! What a human reads of an event: one function, which every sink for humans lays out in its own way. Texts of clients are
//! made harmless here as far as that is the same everywhere ([`super::one_line`]). What a format gives a meaning to (HTML,
//! mrkdwn), its sink escapes.

use breakglass_api::events::EventType;
use serde_json::Value;

use super::incident;
use super::notice::Notice;
use super::one_line::{MAX_VALUE, listed, shown};
use super::titles::{Command, command, granted_scopes, granted_seconds, title};
use crate::duration;

/// An event in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// In one line.
    pub title: String,
    /// Each fact: what it is, and how it is.
    pub lines: Vec<(&'static str, String)>,
    /// What to run, where there is something to do.
    pub command: Option<Command>,
}

/// The event in words.
#[must_use]
pub fn words(notice: &Notice) -> Words {
    let mut lines: Vec<(&'static str, String)> = Vec::new();
    let mut add = |label: &'static str, value: &str| {
        if !value.is_empty() {
            lines.push((label, shown(value, MAX_VALUE)));
        }
    };
    let data = |name: &str| notice.data.get(name);
    if let Some(asked) = &notice.asked {
        if asked.emergency {
            add("Emergency", "yes");
        }
        add("Who", &asked.requester);
        let opens = if asked.opens.is_empty() { &asked.scopes } else { &asked.opens };
        add("Opens", &listed(opens));
        add("Environment", notice.audience.as_deref().unwrap_or_default());
        add("Why", &asked.reason);
        add("How long", &format!("{} from approval", duration::format(asked.duration_s)));
    }
    if let Some(reported) = data("reported") {
        let said = |name: &str| reported.pointer(&format!("/alert/{name}")).and_then(Value::as_str);
        let call: Vec<&str> = ["method", "host", "path"].into_iter().filter_map(said).collect();
        add("Call", &call.join(" "));
        for (name, label) in [("reason", "Reason"), ("source_ip", "From"), ("detail", "Detail")] {
            add(label, said(name).unwrap_or_default());
        }
        for (name, label) in
            [("unverified/issuer", "Claims issuer"), ("unverified/kid", "Claims key")]
        {
            add(label, said(name).unwrap_or_default());
        }
        let count = data("count").and_then(Value::as_i64).filter(|count| *count > 1);
        add("Times", &count.map(|count| count.to_string()).unwrap_or_default());
        let more = reported.pointer("/suppressed/alerts").and_then(Value::as_i64);
        add("Not told", &more.map(|more| format!("{more} alerts in an hour")).unwrap_or_default());
        add("Reported by", &notice.actor);
    }
    add("Incident", notice.incident.as_deref().unwrap_or_default());
    for (label, value) in incident::lines(notice) {
        add(label, &value);
    }
    if data("reported").is_none()
        && notice.asked.as_ref().is_none_or(|asked| asked.requester != notice.actor)
    {
        add("By", &notice.actor);
    }
    if is(notice, EventType::Approved) || is(notice, EventType::PartlyApproved) {
        for (label, value) in less(notice) {
            add(label, &value);
        }
    }
    if is(notice, EventType::Ending) || is(notice, EventType::Expired) {
        let label = if is(notice, EventType::Ending) { "Ends" } else { "Ended" };
        add(label, data("expires_at").and_then(Value::as_str).unwrap_or_default());
    }
    for (name, label) in [
        ("text", "Said"),
        ("note", "Note"),
        ("group", "Group"),
        ("hook", "Hook"),
        ("outcome", "Answer"),
    ] {
        add(label, data(name).and_then(Value::as_str).unwrap_or_default());
    }
    if !is(notice, EventType::Submitted) {
        add("Reason", data("reason").and_then(Value::as_str).unwrap_or_default());
    }
    add("Request", notice.request.as_deref().unwrap_or_default());
    add("Grant", notice.grant.as_deref().unwrap_or_default());
    add("When", &notice.time());
    Words { title: title(notice), lines, command: command(notice) }
}

fn is(notice: &Notice, kind: EventType) -> bool {
    notice.kind == kind.word()
}

/// What was approved, where it is less than was asked for.
fn less(notice: &Notice) -> Vec<(&'static str, String)> {
    let (Some(asked), mut less) = (&notice.asked, Vec::new()) else { return Vec::new() };
    if let Some(granted) = granted_scopes(notice) {
        let left_out = asked.scopes.iter().filter(|scope| !granted.contains(scope)).cloned();
        less.push(("Approved", listed(&granted)));
        less.push(("Not approved", listed(&left_out.collect::<Vec<_>>())));
    }
    if let Some(seconds) = granted_seconds(notice) {
        let (shorter, wanted) = (duration::format(seconds), duration::format(asked.duration_s));
        less.push(("For", format!("{shorter} instead of {wanted}")));
    }
    less
}
