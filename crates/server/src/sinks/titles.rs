//! The title of a message, and the command that goes on from it: for who asks, who answers and who watches.

use breakglass_api::alerts::TYPE_PREFIX;
use breakglass_api::events::EventType;
use breakglass_api::incident::IncidentVerdict;
use breakglass_api::reviews::SignableBy;
use breakglass_api::words::Vocabulary as _;
use serde_json::{Value, json};

use super::incident;
use super::notice::Notice;
use super::one_line::{listed, shown};
use crate::clock::parse_rfc3339;
use crate::duration;
use crate::store::SERVICE;

/// The longest title, in characters.
const MAX_TITLE: usize = 140;

/// The longest name in a title, in characters.
const MAX_NAME: usize = 60;

/// The one command that goes on from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// What it does, such as `Answer`.
    pub label: &'static str,
    /// The command, with no text of a client in it.
    pub text: String,
}

/// The names in a title.
struct Names {
    actor: String,
    requester: String,
    scopes: String,
    /// What an emergency begins with.
    mark: &'static str,
}

/// What happened, in one line.
pub(super) fn title(notice: &Notice) -> String {
    let asked = notice.asked.as_ref();
    let requester = asked.map(|asked| asked.requester.as_str()).or(notice.subject.as_deref());
    let scopes = match asked.map(|asked| listed(&asked.scopes)) {
        Some(scopes) if !scopes.is_empty() => shown(&scopes, MAX_NAME),
        _ => "access".to_owned(),
    };
    let names = Names {
        actor: shown(&notice.actor, MAX_NAME),
        requester: shown(requester.unwrap_or("a person"), MAX_NAME),
        scopes,
        mark: if asked.is_some_and(|asked| asked.emergency) { "EMERGENCY: " } else { "" },
    };
    let text = match EventType::of(&notice.kind) {
        Some(kind) => of_request(kind, notice, &names).unwrap_or_else(|| of_service(kind, &names)),
        None => of_alert(notice, &names),
    };
    shown(&text, MAX_TITLE)
}

/// Of an event of a request or of a grant.
fn of_request(kind: EventType, notice: &Notice, names: &Names) -> Option<String> {
    let Names { actor, requester, scopes, mark } = names;
    let said = |name: &str| notice.data.get(name);
    Some(match kind {
        EventType::Submitted => format!("{mark}{requester} asks for {scopes}"),
        EventType::Questioned => format!("{actor} asks {requester} about {scopes}"),
        EventType::Answered => format!("{actor} answered about {scopes}"),
        EventType::Unreached => {
            format!("{mark}No approver was reached for {requester}, who asks for {scopes}")
        }
        EventType::Escalated => {
            let to = said("to").and_then(Value::as_array).into_iter().flatten();
            let to: Vec<String> = to.filter_map(Value::as_str).map(str::to_owned).collect();
            let to = shown(&listed(&to), MAX_NAME);
            format!("{mark}Escalated to {to}: {requester} still waits for {scopes}")
        }
        EventType::PartlyApproved => {
            format!("{mark}{actor} approved {scopes} for {requester}, and others have to")
        }
        EventType::IncidentChecked => incident_checked(notice, names),
        EventType::Approved => approved(notice, names),
        EventType::EmergencyTaken => {
            format!("{mark}{requester} took {scopes} without an approval")
        }
        EventType::Denied => format!("{actor} denied {scopes} to {requester}"),
        EventType::Cancelled => format!("{actor} took back the request for {scopes}"),
        EventType::Lapsed if said("of") == Some(&json!("grant")) => {
            format!("The grant of {requester} for {scopes} lapsed: its token was not taken in time")
        }
        EventType::Lapsed => {
            format!("The request of {requester} for {scopes} lapsed: it was not decided in time")
        }
        EventType::Activated => format!("{mark}{requester} uses {scopes} from now on"),
        EventType::TokenIssued => format!("{requester} took a further token for {scopes}"),
        EventType::Ending => {
            format!("{} of the grant of {requester} for {scopes}", left(notice))
        }
        EventType::Expired => format!("The grant of {requester} for {scopes} is over"),
        EventType::Revoked if said("given_back") == Some(&json!(true)) => {
            format!("{requester} gave back the grant for {scopes}")
        }
        EventType::Revoked => format!("{actor} ended the grant of {requester} for {scopes}"),
        EventType::RotationOwed => {
            format!(
                "The grant of {requester} for {scopes} has ended: {} is to rotate",
                hook(notice)
            )
        }
        EventType::RotationDone if *actor == SERVICE => {
            format!("{} rotates what the grant of {requester} for {scopes} touched", hook(notice))
        }
        EventType::RotationDone => {
            format!("{actor} rotated by hand what the grant of {requester} for {scopes} touched")
        }
        EventType::RotationFailed => {
            format!(
                "{mark}Not rotated after the grant of {requester} for {scopes}: {} fails",
                hook(notice)
            )
        }
        EventType::RotationRetried => {
            format!("{actor} lets {} be called again for the grant of {requester}", hook(notice))
        }
        EventType::ReviewOwed | EventType::ReviewOverdue => review_waits(kind, notice, names),
        EventType::ReviewSigned => {
            format!("{actor} reviewed the grant of {requester} for {scopes}: it is in order")
        }
        EventType::ReviewDisputed => {
            format!("{mark}{actor} disputes the grant of {requester} for {scopes}")
        }
        _ => return None,
    })
}

/// That a review waits for a reviewer, or has waited too long.
fn review_waits(kind: EventType, notice: &Notice, names: &Names) -> String {
    let Names { requester, scopes, mark, .. } = names;
    let has_none = notice.data.get("signable_by") == Some(&json!(SignableBy::NoOne));
    match (kind, has_none) {
        (EventType::ReviewOverdue, false) => {
            format!("{mark}Not reviewed in time: the grant of {requester} for {scopes}")
        }
        (EventType::ReviewOverdue, true) => format!(
            "{mark}Not reviewed in time, all who could took part: the grant of {requester} for {scopes}"
        ),
        (_, false) => {
            format!("The grant of {requester} for {scopes} has ended: it is to be reviewed")
        }
        (_, true) => {
            format!("All who could review the grant of {requester} for {scopes} took part in it")
        }
    }
}

/// The hook of a rotation.
fn hook(notice: &Notice) -> String {
    let hook = notice.data.get("hook").and_then(Value::as_str);
    format!("the hook {}", shown(hook.unwrap_or_default(), MAX_NAME))
}

/// What was said of an incident after the submission.
fn incident_checked(notice: &Notice, names: &Names) -> String {
    let Names { requester, scopes, .. } = names;
    let what = match incident::verdict(notice) {
        Some(IncidentVerdict::Open) => "is open",
        Some(IncidentVerdict::Closed) => "is closed",
        Some(IncidentVerdict::NotYours) => "is not the requester's",
        Some(IncidentVerdict::Unknown) => "is unknown",
        Some(IncidentVerdict::Silent) | None => "was checked",
    };
    format!("The incident of {requester} for {scopes} {what}")
}

/// Whether all was approved, or less.
fn approved(notice: &Notice, names: &Names) -> String {
    let Names { actor, requester, scopes, mark } = names;
    let (fewer, shorter) = (granted_scopes(notice), granted_seconds(notice));
    if fewer.is_none() && shorter.is_none() {
        return format!("{mark}{actor} approved {scopes} for {requester}");
    }
    let scopes = fewer.map_or_else(|| scopes.clone(), |fewer| shown(&listed(&fewer), MAX_NAME));
    let time = shorter.map(|seconds| format!(", for {}", duration::format(seconds)));
    let time = time.unwrap_or_default();
    format!("{mark}{actor} approved less than {requester} asked for: {scopes}{time}")
}

/// How much of a grant is left.
fn left(notice: &Notice) -> String {
    let ends = notice.data.get("expires_at").and_then(Value::as_str).and_then(parse_rfc3339);
    let millis = ends.map(|ends| ends.millis().saturating_sub(notice.time_ms));
    match millis.map(|millis| millis.saturating_add(59_999).div_euclid(60_000)) {
        Some(minutes) if minutes > 1 => format!("{minutes} minutes left"),
        Some(_) => "1 minute left".to_owned(),
        None => "A few minutes left".to_owned(),
    }
}

/// Of an event of the service itself.
fn of_service(kind: EventType, names: &Names) -> String {
    let actor = &names.actor;
    match kind {
        EventType::ClockAccepted => "A new time of the clock is believed".to_owned(),
        EventType::ConfigurationRead => "The configuration was read again".to_owned(),
        EventType::ConfigurationWidened => "A new configuration grants more than before".to_owned(),
        EventType::DeliveryReplayed => format!("{actor} let an event be delivered again"),
        EventType::GroupsChanged => "A person is in other groups than before".to_owned(),
        EventType::HeldEndsConfirmed => format!("{actor} let grants end that were held"),
        EventType::MassLoss => {
            "Many people lost a group at once: the ends of their grants are held".to_owned()
        }
        EventType::EvidenceMade => "A new evidence database was made".to_owned(),
        EventType::HolderLeft => "Grants of a person who left were ended".to_owned(),
        EventType::Probed => format!("{actor} probes entrances"),
        EventType::ProbeJudged => "Answers of entrances were judged".to_owned(),
        EventType::ProxyForgotten => format!("{actor} said that a silent proxy is gone"),
        EventType::Restored => "A backup was put in the place of the database".to_owned(),
        EventType::SessionBegan => "A session began".to_owned(),
        EventType::SessionEnded => "A session was ended".to_owned(),
        EventType::SignedIn => "A person signed in".to_owned(),
        other => other.word().to_owned(),
    }
}

/// Of an alert of a proxy, or of an event that this version does not know.
fn of_alert(notice: &Notice, names: &Names) -> String {
    let Names { actor, requester, scopes, mark } = names;
    let Some(alert) = notice.kind.strip_prefix(TYPE_PREFIX) else {
        return format!("{}: {requester}, {scopes}", notice.kind);
    };
    let whom = notice.asked.as_ref().map(|_| format!(": {requester}, {scopes}"));
    format!("{mark}{actor} reports {}{}", alert.replace('_', " "), whom.unwrap_or_default())
}

/// The command that goes on from an event. It has ids alone, which the service made, of letters, digits and `_`.
pub(super) fn command(notice: &Notice) -> Option<Command> {
    let is_id = |id: &&String| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let of = |label, verb: &str, id: &Option<String>, more: &str| {
        let id = id.as_ref().filter(is_id)?;
        Some(Command { label, text: format!("breakglass {verb} {id}{more}") })
    };
    let (request, grant) = (&notice.request, &notice.grant);
    match EventType::of(&notice.kind) {
        Some(EventType::Submitted) if notice.is_taken_alone() => {
            of("See it", "status", request, "")
        }
        Some(EventType::Submitted | EventType::Answered | EventType::Escalated) => {
            of("Answer", "approve", request, "")
        }
        // Its readers are the requester and operators, who cannot answer.
        Some(EventType::Unreached) => of("Give an approver", "approve", request, ""),
        // Its readers are those whose turn it is now, and the requester.
        Some(EventType::PartlyApproved) => of("An approver answers", "approve", request, ""),
        Some(EventType::Questioned) => of("Answer", "answer", request, " '..'"),
        Some(EventType::Approved) => of("Take the token", "token", request, ""),
        Some(EventType::Ending) => of("Go on", "extend", request, " --reason '..'"),
        Some(
            EventType::Denied
            | EventType::Expired
            | EventType::IncidentChecked
            | EventType::Lapsed
            | EventType::Revoked,
        ) => of("See it", "status", request, ""),
        Some(EventType::RotationFailed) => {
            let id = notice.data.get("rotation").and_then(Value::as_str).map(str::to_owned);
            of("Rotated by hand", "rotations done", &id, " --note '..'")
        }
        Some(EventType::ReviewOwed | EventType::ReviewOverdue) => {
            let id = notice.data.get("review").and_then(Value::as_str).map(str::to_owned);
            of("Review it", "review show", &id, "")
        }
        Some(EventType::ReviewSigned | EventType::ReviewDisputed) => {
            let id = notice.data.get("review").and_then(Value::as_str).map(str::to_owned);
            of("See it", "review show", &id, "")
        }
        Some(EventType::RotationOwed | EventType::RotationDone | EventType::RotationRetried) => {
            of("See it", "status", request, "")
        }
        // Also an alert of a grant that holds.
        Some(EventType::Activated | EventType::EmergencyTaken | EventType::TokenIssued) | None => {
            of("End it", "revoke", grant, " --reason '..'")
        }
        _ => None,
    }
}

/// The scopes of an approval, where they are fewer than were asked for.
pub(super) fn granted_scopes(notice: &Notice) -> Option<Vec<String>> {
    let scopes = notice.data.get("scopes")?.as_array()?.iter();
    Some(scopes.filter_map(Value::as_str).map(str::to_owned).collect())
}

/// The time of an approval, in seconds, where it is shorter than was asked for.
pub(super) fn granted_seconds(notice: &Notice) -> Option<i64> {
    notice.data.get("duration_s")?.as_i64()
}
