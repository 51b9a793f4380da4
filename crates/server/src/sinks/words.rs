//! What a human reads of an event: one function, which every sink for humans lays out in its own way. Texts of clients are
//! made harmless here as far as that is the same everywhere: one line, nothing that steers a terminal or turns the text,
//! nothing that cannot be seen, and not too long. What a format gives a meaning to (HTML, mrkdwn), its sink escapes.

use breakglass_api::alerts::TYPE_PREFIX;
use breakglass_api::events::EventType;
use breakglass_api::words::Vocabulary as _;
use breakglass_audit::text::misleads;
use serde_json::Value;

use super::notice::Notice;
use crate::duration;

/// The longest value, in characters.
const MAX_VALUE: usize = 600;

/// The longest title, in characters.
const MAX_TITLE: usize = 140;

/// The longest name in a title, in characters.
const MAX_NAME: usize = 60;

/// The most names that one line has.
const MAX_NAMES: usize = 10;

/// An event in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// In one line.
    pub title: String,
    /// Each fact: what it is, and how it is.
    pub lines: Vec<(&'static str, String)>,
    /// The one command to answer with, where there is something to answer.
    pub command: Option<String>,
}

/// `text` on one line of at most so many characters, without what misleads.
#[must_use]
pub fn shown(text: &str, longest: usize) -> String {
    let mut shown: String = text
        .chars()
        .take(longest)
        .map(|one| if misleads(one) { '\u{fffd}' } else { one })
        .collect();
    if text.chars().nth(longest).is_some() {
        shown.push('…');
    }
    shown
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
    if data("reported").is_none()
        && notice.asked.as_ref().is_none_or(|asked| asked.requester != notice.actor)
    {
        add("By", &notice.actor);
    }
    // What was approved, where it is less than was asked for.
    if let Some(Value::Array(scopes)) = data("scopes").filter(|_| is(notice, EventType::Approved)) {
        let scopes = scopes.iter().filter_map(Value::as_str).map(str::to_owned);
        add("Of these", &listed(&scopes.collect::<Vec<_>>()));
    }
    if let Some(seconds) = data("duration_s").and_then(Value::as_i64)
        && is(notice, EventType::Approved)
    {
        add("For", &duration::format(seconds));
    }
    for (name, label) in [("text", "Said"), ("note", "Note"), ("group", "Group")] {
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

fn listed(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(MAX_NAMES).map(String::as_str).collect();
    match names.len().saturating_sub(shown.len()) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// What happened, in one line.
fn title(notice: &Notice) -> String {
    let actor = shown(&notice.actor, MAX_NAME);
    let requester = notice.asked.as_ref().map(|asked| asked.requester.as_str());
    let requester = shown(requester.or(notice.subject.as_deref()).unwrap_or("a person"), MAX_NAME);
    let scopes = notice.asked.as_ref().map(|asked| listed(&asked.scopes)).unwrap_or_default();
    let scopes = match scopes.as_str() {
        "" => "access".to_owned(),
        scopes => shown(scopes, MAX_NAME),
    };
    let mark = match notice.asked.as_ref().is_some_and(|asked| asked.emergency) {
        true => "EMERGENCY: ",
        false => "",
    };
    let text = match EventType::of(&notice.kind) {
        Some(EventType::Submitted) => format!("{mark}{requester} asks for {scopes}"),
        Some(EventType::Questioned) => format!("{actor} asks {requester} about {scopes}"),
        Some(EventType::Answered) => format!("{actor} answered about {scopes}"),
        Some(EventType::Approved) => format!("{mark}{actor} approved {scopes} for {requester}"),
        Some(EventType::Denied) => format!("{actor} denied {scopes} to {requester}"),
        Some(EventType::Cancelled) => format!("{actor} took back the request for {scopes}"),
        Some(EventType::Lapsed) => format!("The request of {requester} for {scopes} lapsed"),
        Some(EventType::Activated) => format!("{mark}{requester} uses {scopes} from now on"),
        Some(EventType::Ending) => format!("The grant of {requester} for {scopes} ends soon"),
        Some(EventType::Expired) => format!("The grant of {requester} for {scopes} is over"),
        Some(EventType::TokenIssued) => format!("{requester} took a further token for {scopes}"),
        Some(EventType::Revoked) => format!("{actor} ended the grant of {requester} for {scopes}"),
        Some(EventType::ClockAccepted) => "A new time of the clock is believed".to_owned(),
        Some(EventType::ConfigurationRead) => "The configuration was read again".to_owned(),
        Some(EventType::ConfigurationWidened) => {
            "A new configuration grants more than before".to_owned()
        }
        Some(EventType::DeliveryReplayed) => format!("{actor} let an event be delivered again"),
        Some(EventType::GroupsChanged) => "A person is in other groups than before".to_owned(),
        Some(EventType::HeldEndsConfirmed) => format!("{actor} let grants end that were held"),
        Some(EventType::MassLoss) => {
            "Many people lost a group at once: the ends of their grants are held".to_owned()
        }
        Some(EventType::EvidenceMade) => "A new evidence database was made".to_owned(),
        Some(EventType::HolderLeft) => "Grants of a person who left were ended".to_owned(),
        Some(EventType::Probed) => format!("{actor} probes entrances"),
        Some(EventType::ProbeJudged) => "Answers of entrances were judged".to_owned(),
        Some(EventType::ProxyForgotten) => format!("{actor} said that a silent proxy is gone"),
        Some(EventType::Restored) => "A backup was put in the place of the database".to_owned(),
        Some(EventType::SessionBegan) => "A session began".to_owned(),
        Some(EventType::SessionEnded) => "A session was ended".to_owned(),
        Some(EventType::SignedIn) => "A person signed in".to_owned(),
        None => match notice.kind.strip_prefix(TYPE_PREFIX) {
            Some(alert) => {
                let alert = alert.replace('_', " ");
                let whom = notice.asked.as_ref().map(|_| format!(": {requester}, {scopes}"));
                format!("{mark}{actor} reports {alert}{}", whom.unwrap_or_default())
            }
            None => format!("{}: {requester}, {scopes}", notice.kind),
        },
    };
    shown(&text, MAX_TITLE)
}

/// The command that answers it. Ids are made by the service, of letters, digits and `_`.
fn command(notice: &Notice) -> Option<String> {
    let is_id = |id: &&String| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let request = notice.request.as_ref().filter(is_id);
    let grant = notice.grant.as_ref().filter(is_id);
    match EventType::of(&notice.kind) {
        Some(EventType::Submitted | EventType::Answered) => {
            request.map(|id| format!("breakglass approve {id}"))
        }
        Some(EventType::Questioned) => request.map(|id| format!("breakglass answer {id} '..'")),
        Some(EventType::Approved) => request.map(|id| format!("breakglass token {id}")),
        Some(EventType::Activated | EventType::TokenIssued) => {
            grant.map(|id| format!("breakglass revoke {id} --reason '..'"))
        }
        // An alert of a grant that holds.
        None => grant.map(|id| format!("breakglass revoke {id} --reason '..'")),
        _ => None,
    }
}
