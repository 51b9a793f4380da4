//! What the rows of requests, approvals, revocations and remarks say, beside the events: each has its event, each event its
//! row, and both say the same.

use breakglass_api::events::EventType;
use breakglass_api::evidence::Action;
use breakglass_api::words::Vocabulary as _;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnection;

use super::incidents;
use super::report::{Part, Report};
use crate::clock::{Moment, rfc3339};
use crate::store::event::{Event, select_events};
use crate::store::proof::{differs, is_of};
use crate::store::row::{Request, select_requests};

/// How many requests are compared at once.
const PAGE: i64 = 500;

/// A row of `audit`.
#[derive(Debug, sqlx::FromRow)]
struct AuditRow {
    seq: i64,
    at_ms: i64,
    actor: String,
    action: String,
    request_id: String,
    jti: Option<String>,
    detail: String,
}

/// A row of `discussion`.
#[derive(Debug, sqlx::FromRow)]
struct RemarkRow {
    request_id: String,
    at_ms: i64,
    author: String,
    kind: String,
    text: String,
}

/// A request with all that there is of it.
struct Whole<'a> {
    request: &'a Request,
    events: Vec<&'a Event>,
    audit: Vec<&'a AuditRow>,
    remarks: Vec<&'a RemarkRow>,
    /// When the chain began, in milliseconds.
    began: Option<i64>,
}

/// Compares all requests. `began` is when the chain began, in milliseconds.
pub(super) async fn check(
    connection: &mut SqliteConnection,
    began: Option<i64>,
    report: &mut Report,
) -> Result<(), sqlx::Error> {
    let mut after = String::new();
    loop {
        let requests: Vec<Request> =
            sqlx::query_as(select_requests!("WHERE id > ?2 ORDER BY id LIMIT ?3"))
                .bind(Moment::from_seconds(0).seconds())
                .bind(&after)
                .bind(PAGE)
                .fetch_all(&mut *connection)
                .await?;
        let Some(last) = requests.last() else { return Ok(()) };
        let range = (after, last.id.clone());
        let events: Vec<Event> = sqlx::query_as(select_events!(
            "WHERE request_id > ?1 AND request_id <= ?2 ORDER BY request_id, request_seq"
        ))
        .bind(&range.0)
        .bind(&range.1)
        .fetch_all(&mut *connection)
        .await?;
        let audit: Vec<AuditRow> = sqlx::query_as(
            "SELECT seq, at_ms, actor, action, request_id, jti, detail FROM audit
             WHERE request_id > ?1 AND request_id <= ?2 ORDER BY request_id, seq",
        )
        .bind(&range.0)
        .bind(&range.1)
        .fetch_all(&mut *connection)
        .await?;
        let remarks: Vec<RemarkRow> = sqlx::query_as(
            "SELECT request_id, at_ms, author, kind, text FROM discussion
             WHERE request_id > ?1 AND request_id <= ?2 ORDER BY request_id, position",
        )
        .bind(&range.0)
        .bind(&range.1)
        .fetch_all(&mut *connection)
        .await?;
        for request in &requests {
            let id = request.id.as_str();
            let whole = Whole {
                request,
                events: events
                    .iter()
                    .filter(|event| event.request_id.as_deref() == Some(id))
                    .collect(),
                audit: audit.iter().filter(|row| row.request_id == id).collect(),
                remarks: remarks.iter().filter(|row| row.request_id == id).collect(),
                began,
            };
            whole.check(report);
        }
        after = range.1;
    }
}

fn add(count: &mut u64, more: usize) {
    *count = count.saturating_add(u64::try_from(more).unwrap_or(u64::MAX));
}

impl Whole<'_> {
    fn check(&self, report: &mut Report) {
        let request = self.request;
        add(&mut report.checked.requests, 1);
        add(&mut report.checked.grants, usize::from(request.jti.is_some()));
        add(&mut report.checked.revocations, usize::from(request.epoch.is_some()));
        add(&mut report.checked.older_trail, self.audit.len());
        for text in self.decisions() {
            report.found(Part::Requests, format!("request {}: {text}", request.id));
        }
        if let Some(text) = self.parts() {
            report.found(Part::Requests, format!("request {}: {text}", request.id));
        }
        if let Some(text) = incidents::differs(request, &self.events) {
            report.found(Part::Requests, format!("request {}: {text}", request.id));
        }
        if let Some(text) = self.remarks() {
            report.found(Part::Requests, format!("request {}: {text}", request.id));
        }
        if let Some(text) = self.older() {
            report.found(Part::OlderTrail, format!("request {}: {text}", request.id));
        }
    }

    /// What happens to a request once at most.
    fn decisions(&self) -> Vec<String> {
        let request = self.request;
        let revoked_at = request.revoked_at_ms.map(|at| at.div_euclid(1000));
        // What is revoked before its first token is marked as lapsed too, so that it waits for none, and has not lapsed.
        let lapsed = |event: &&Event| event.kind == EventType::Lapsed.word();
        let ended_unused = request.activated_at.is_none()
            && revoked_at == request.lapsed_at
            && !self.events.iter().any(lapsed);
        let is_alone = request.is_taken_alone();
        let happened = [
            (EventType::Submitted, Some(request.submitted_at)),
            (EventType::Approved, request.approved_at.filter(|_| !is_alone)),
            (EventType::EmergencyTaken, request.approved_at.filter(|_| is_alone)),
            (EventType::Denied, request.denied_at),
            (EventType::Cancelled, request.cancelled_at),
            (EventType::Lapsed, request.lapsed_at.filter(|_| !ended_unused)),
            (EventType::Activated, request.activated_at),
            (EventType::Ending, request.reminded_at),
            (EventType::Expired, request.expired_at),
            (EventType::Revoked, revoked_at),
        ];
        happened.into_iter().filter_map(|(kind, at)| self.decision(kind, at)).collect()
    }

    fn decision(&self, kind: EventType, at: Option<i64>) -> Option<String> {
        let word = kind.word();
        let mut events = self.events.iter().filter(|event| event.kind == word);
        let (first, second) = (events.next(), events.next());
        if let Some(second) = second {
            return Some(format!("the trail has `{word}` of it again at place {}", second.seq));
        }
        match (at, first) {
            (None, None) => None,
            // Before there were events a lapse left no trace but the row.
            (Some(at), None) if kind == EventType::Lapsed && self.is_of_before(at) => None,
            (Some(_), None) if self.is_taken_over(kind) => None,
            (Some(_), None) => Some(format!(
                "the database says that it happened, and the trail has no `{word}` of it"
            )),
            (None, Some(event)) => Some(format!(
                "the trail has `{word}` of it at place {}, and the database does not say so",
                event.seq
            )),
            (Some(at), Some(event)) => {
                let member = self.differs(kind, at, event)?;
                Some(format!(
                    "the database and `{word}` at place {} of the trail differ in `{member}`",
                    event.seq
                ))
            }
        }
    }

    /// Whether a restore took the grant over, to revoke it, and with it what the trail of the backup does not have.
    fn is_taken_over(&self, kind: EventType) -> bool {
        let restored = |event: &&&Event| {
            event.kind == EventType::Revoked.word() && event.data.get("restored").is_some()
        };
        matches!(
            kind,
            EventType::Submitted
                | EventType::PartlyApproved
                | EventType::Approved
                | EventType::EmergencyTaken
                | EventType::Activated
        ) && self.events.iter().any(|event| restored(&event))
    }

    fn is_of_before(&self, at: i64) -> bool {
        self.began.is_none_or(|began| at.saturating_mul(1000) <= began)
    }

    fn differs(&self, kind: EventType, at: i64, event: &Event) -> Option<String> {
        let request = self.request;
        let (row, actor) = match kind {
            EventType::Approved | EventType::EmergencyTaken => {
                return differs(event, request).map(str::to_owned);
            }
            EventType::Submitted => (submitted(request), Some(&request.requester)),
            EventType::Activated => (json!({}), Some(&request.requester)),
            EventType::Cancelled | EventType::Lapsed => (json!({}), None),
            EventType::Ending | EventType::Expired => {
                (json!({ "expires_at": request.expires_at.map(rfc3339) }), None)
            }
            EventType::Denied => {
                (json!({ "reason": request.denial_reason }), request.denied_by.as_ref())
            }
            _ => (
                json!({ "reason": request.revocation_reason, "epoch": request.epoch }),
                request.revoked_by.as_ref(),
            ),
        };
        let of = [
            ("time", event.time_ms.div_euclid(1000) == at),
            ("actor", actor.is_none_or(|actor| *actor == event.actor)),
            ("audience", event.audience.as_ref() == Some(&request.audience)),
            ("requester", event.subject.as_ref() == Some(&request.requester)),
            ("incident", event.incident == request.incident),
            ("jti", event.jti.is_none() || event.jti == request.jti),
        ];
        let member = of.into_iter().find(|(_, agrees)| !agrees).map(|(name, _)| name.to_owned());
        member.or_else(|| disagrees(event, &row))
    }

    /// Each approval to which others had to come has its event, in the same order.
    fn parts(&self) -> Option<String> {
        let request = self.request;
        let rows = match (request.approved_at, request.approvals.split_last()) {
            (Some(_), Some((_, before))) => before,
            _ => request.approvals.as_slice(),
        };
        let is_part = |event: &&&Event| event.kind == EventType::PartlyApproved.word();
        let mut events = self.events.iter().filter(is_part);
        for (index, row) in rows.iter().enumerate() {
            let number = index.saturating_add(1);
            match events.next() {
                // A restore took it over.
                None if self.is_taken_over(EventType::PartlyApproved) => return None,
                None => return Some(format!("approval {number} has no event on the trail")),
                Some(event) if !is_of(event, row) => {
                    return Some(format!(
                        "approval {number} and the event at place {} differ",
                        event.seq
                    ));
                }
                Some(_) => {}
            }
        }
        let event = events.next()?;
        Some(format!("the trail has an approval at place {}, and the database does not", event.seq))
    }

    fn remarks(&self) -> Option<String> {
        let is_remark = |event: &&&Event| {
            [EventType::Questioned.word(), EventType::Answered.word()]
                .contains(&event.kind.as_str())
        };
        let mut said = self.events.iter().filter(is_remark);
        for (index, row) in self.remarks.iter().enumerate() {
            let number = index.saturating_add(1);
            let Some(event) = said.next() else {
                return Some(format!("remark {number} has no event on the trail"));
            };
            let same = action_of(&event.kind).is_some_and(|action| action.word() == row.kind)
                && event.actor == row.author
                && event.time_ms == row.at_ms
                && event.data.get("text").and_then(Value::as_str) == Some(&row.text);
            if !same {
                return Some(format!(
                    "remark {number} and the event at place {} differ",
                    event.seq
                ));
            }
        }
        let event = said.next()?;
        Some(format!("the trail has a remark at place {}, and the database does not", event.seq))
    }

    /// Each row of `audit` has its event, in the same order; so has each event its row, but for what the service only noticed.
    fn older(&self) -> Option<String> {
        let noticed = [
            EventType::Unreached.word(),
            EventType::IncidentChecked.word(),
            EventType::Escalated.word(),
        ];
        let is_decision = |event: &&&Event| !noticed.contains(&event.kind.as_str());
        let of_decisions: Vec<&&Event> = self.events.iter().filter(is_decision).collect();
        let (rows, events) = (self.audit.len(), of_decisions.len());
        if rows != events {
            return Some(format!("`audit` has {rows} rows of it, and the trail {events} events"));
        }
        let (row, event) = self.audit.iter().zip(of_decisions).find(|(row, event)| {
            let (action, detail) =
                (action_of(&event.kind).map(Action::word), event.data.to_string());
            let same = action == Some(row.action.as_str())
                && row.at_ms == event.time_ms
                && row.actor == event.actor
                && row.jti == event.jti
                && row.detail == detail;
            !same
        })?;
        Some(format!("row {} of `audit` and the event at place {} differ", row.seq, event.seq))
    }
}

/// What the event of a submission says, as the row has it; its digest is over the same.
fn submitted(request: &Request) -> Value {
    json!({
        "audience": request.audience, "scopes": request.scopes, "reason": request.reason,
        "incident": request.incident, "emergency": request.emergency, "duration_s": request.duration_s,
        "roles": request.requester_roles, "groups": request.requester_groups,
        "scope_digests": request.scope_digests, "extends": request.extends,
        "needs": request.needs.as_ref().map(|fixed| &fixed.needs),
        "obstacles": request.needs.as_ref().and_then(|fixed| fixed.emergency.as_ref()).map(|one| &one.obstacles),
    })
}

/// The first member of `row` of which the event says something else. What an event of before the chain does not say, an
/// earlier version left out; one of the chain says all that is not null.
fn disagrees(event: &Event, row: &Value) -> Option<String> {
    let agrees = |(name, value): &(&String, &Value)| match event.data.get(name.as_str()) {
        Some(said) => said == *value,
        None => value.is_null() || event.hash.is_none(),
    };
    row.as_object()?.iter().find(|member| !agrees(member)).map(|(name, _)| name.clone())
}

/// The trail's word for an event of a request.
fn action_of(kind: &str) -> Option<Action> {
    Some(match EventType::of(kind)? {
        EventType::Submitted => Action::Submit,
        EventType::Questioned => Action::Question,
        EventType::Answered => Action::Answer,
        EventType::PartlyApproved | EventType::Approved => Action::Approve,
        EventType::EmergencyTaken => Action::TakeEmergency,
        EventType::Denied => Action::Deny,
        EventType::Cancelled => Action::Cancel,
        EventType::Lapsed => Action::Lapse,
        EventType::Activated | EventType::TokenIssued => Action::IssueToken,
        EventType::Ending => Action::Remind,
        EventType::Expired => Action::Expire,
        EventType::Revoked => Action::Revoke,
        EventType::ReviewOwed => Action::ReviewOwed,
        EventType::ReviewOverdue => Action::ReviewOverdue,
        EventType::ReviewSigned => Action::ReviewSigned,
        EventType::ReviewDisputed => Action::ReviewDisputed,
        EventType::RotationOwed => Action::RotationOwed,
        EventType::RotationFailed => Action::RotationFailed,
        EventType::RotationRetried => Action::RotationRetried,
        EventType::RotationDone => Action::RotationDone,
        _ => return None,
    })
}
