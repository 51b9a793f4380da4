//! Whether the trail has the approval that a grant is said to come from. Who can write the database can make a grant of any
//! request; the key that signs the trail is not in the database.

use breakglass_api::events::EventType;
use breakglass_types::Basis;
use serde_json::Value;

use super::change::Change;
use super::event::{Event, select_events};
use super::{ApprovalRow, Request, StoreError};
use crate::access::rules::FixedNeeds;
use crate::issuer::TrailKeys;
use crate::limits::MAX_GRANT_S;

/// Why the trail does not prove an approval.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    /// There is no event of it.
    #[error("the trail has no approval of it")]
    Missing,
    /// The grant has ended, although the database has no end of it.
    #[error(
        "the grant has ended by the event at place {0} of the trail, and the database has no end of it"
    )]
    Ended(i64),
    /// The event is not in the chain, and no grant of before the chain could still hold.
    #[error("the approval at place {0} of the trail is in no chain, although the chain had begun")]
    Unchained(i64),
    /// The event is not what was signed.
    #[error("the approval at place {0} of the trail is not what was signed: it was changed")]
    Changed(i64),
    /// The key is unknown.
    #[error(
        "the approval at place {seq} of the trail is signed with the key {kid}, which is not in the key directory"
    )]
    UnknownKey {
        /// Its place.
        seq: i64,
        /// The key.
        kid: String,
    },
    /// The request is not what the event says.
    #[error("the database and the approval at place {seq} of the trail differ in `{what}`")]
    Differs {
        /// Its place.
        seq: i64,
        /// In what.
        what: &'static str,
    },
}

impl Change {
    /// Why the trail does not prove the approval of this request's grant, as the database has it, or says that the grant has
    /// ended; `None` if it proves it.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn unproven(&mut self, request: &Request) -> Result<Option<Unproven>, StoreError> {
        let event: Option<Event> = sqlx::query_as(select_events!(
            "WHERE request_id = ?1 AND type IN (?2, ?3, ?4, ?5) ORDER BY seq DESC LIMIT 1"
        ))
        .bind(&request.id)
        .bind(EventType::EmergencyTaken.word())
        .bind(EventType::Approved.word())
        .bind(EventType::Lapsed.word())
        .bind(EventType::Revoked.word())
        .fetch_optional(&mut *self.0)
        .await?;
        let Some(event) = event else { return Ok(Some(Unproven::Missing)) };
        let granted = match request.is_taken_alone() {
            true => EventType::EmergencyTaken,
            false => EventType::Approved,
        };
        if event.kind != granted.word() {
            let is_other = [EventType::EmergencyTaken, EventType::Approved]
                .iter()
                .any(|kind| event.kind == kind.word());
            return Ok(Some(match is_other {
                true => Unproven::Differs { seq: event.seq, what: "approvals" },
                false => Unproven::Ended(event.seq),
            }));
        }
        if let Some(cause) = self.unproven_parts(request).await? {
            return Ok(Some(cause));
        }
        if event.hash.is_none() {
            return match self.could_be_of_before(&event).await? {
                true => Ok(unlike(&event, request)),
                false => Ok(Some(Unproven::Unchained(event.seq))),
            };
        }
        Ok(broken(Some(&self.1), &event).or_else(|| unlike(&event, request)))
    }

    /// Why the trail does not prove the approvals before the last one: each has an event of its own.
    async fn unproven_parts(&mut self, request: &Request) -> Result<Option<Unproven>, StoreError> {
        let Some((_, before)) = request.approvals.split_last().filter(|(_, rest)| !rest.is_empty())
        else {
            return Ok(None);
        };
        let events: Vec<Event> =
            sqlx::query_as(select_events!("WHERE request_id = ?1 AND type = ?2 ORDER BY seq"))
                .bind(&request.id)
                .bind(EventType::PartlyApproved.word())
                .fetch_all(&mut *self.0)
                .await?;
        if events.len() != before.len() {
            return Ok(Some(Unproven::Missing));
        }
        let mut each = before.iter().zip(&events);
        Ok(each.find_map(|(row, event)| {
            let differs = || Unproven::Differs { seq: event.seq, what: "approvals" };
            broken(Some(&self.1), event).or_else(|| (!is_of(event, row)).then(differs))
        }))
    }

    /// Whether an event without a link was written before the chain began, also by the file beside the key: the database's
    /// owner can take all links away, and the service then begins another chain. As its grant is over soon after that, an
    /// event that was dated back by hand gives no access from then on.
    async fn could_be_of_before(&mut self, event: &Event) -> Result<bool, StoreError> {
        if !self.1.could_be_of_before(event.time_ms) {
            return Ok(false);
        }
        let first: Option<Event> =
            sqlx::query_as(select_events!("WHERE hash IS NOT NULL ORDER BY seq LIMIT 1"))
                .fetch_optional(&mut *self.0)
                .await?;
        Ok(first.is_none_or(|first| {
            broken(Some(&self.1), &first).is_none()
                && event.seq < first.seq
                && event.time_ms <= first.time_ms
        }))
    }
}

/// Whether the event is not what a key has signed, where it is a link of the chain.
pub(super) fn broken(keys: Option<&TrailKeys>, event: &Event) -> Option<Unproven> {
    let seq = event.seq;
    let (Some(prev), Some(hash), Some(kid), Some(signature)) =
        (&event.prev, &event.hash, &event.kid, &event.signature)
    else {
        return Some(Unproven::Changed(seq));
    };
    if event.form().hash(prev) != *hash {
        return Some(Unproven::Changed(seq));
    }
    match keys.and_then(|keys| keys.verify(kid, hash, signature)) {
        Some(true) => None,
        Some(false) => Some(Unproven::Changed(seq)),
        None => Some(Unproven::UnknownKey { seq, kid: kid.clone() }),
    }
}

fn unlike(event: &Event, request: &Request) -> Option<Unproven> {
    differs(event, request).map(|what| Unproven::Differs { seq: event.seq, what })
}

/// Whether an event is that of this approval.
pub(super) fn is_of(event: &Event, row: &ApprovalRow) -> bool {
    let said = |name: &str| event.data.get(name).filter(|value| !value.is_null()).cloned();
    let list =
        |names: &Option<Vec<String>>| names.as_ref().map(|names| Value::from(names.as_slice()));
    event.actor == row.approver
        && event.time_ms == row.approved_at_ms
        && said("digest") == row.digest.clone().map(Value::from)
        && said("scopes") == list(&row.scopes)
        && said("duration_s") == row.duration_s.map(Value::from)
        && said("groups") == list(&row.approver_groups)
}

/// What of the grant is not what the event says.
pub(super) fn differs(event: &Event, request: &Request) -> Option<&'static str> {
    let approved_at = event.time_ms.div_euclid(1000);
    let said = |name: &str| event.data.get(name).filter(|value| !value.is_null());
    let duration = said("duration_s").map_or(Some(request.duration_s), Value::as_i64);
    let ends = duration.and_then(|seconds| approved_at.checked_add(seconds));
    let scopes =
        said("scopes").map_or_else(|| Value::from(request.scopes.as_slice()), Value::clone);
    let last = request.approvals.last();
    let is_alone = request.is_taken_alone();
    let digest = said("digest").and_then(Value::as_str);
    let what = [
        ("jti", event.jti == request.jti),
        ("audience", event.audience.as_ref() == Some(&request.audience)),
        ("requester", event.subject.as_ref() == Some(&request.requester)),
        (
            "approver",
            match last {
                Some(last) => last.approver == event.actor,
                None => is_alone && request.requester == event.actor,
            },
        ),
        ("approvers", request.several_approvers().map(Value::from) == said("approvers").cloned()),
        // What was asked for is in the digest; an approval of the first version has none.
        ("digest", digest.is_none_or(|digest| digest == request.digest())),
        (
            "groups of the approver",
            last.is_none_or(|last| {
                last.approver_groups.as_deref().map(Value::from) == said("groups").cloned()
            }),
        ),
        (
            "digest of the approval",
            match last {
                Some(last) => last.digest.as_deref() == digest,
                None => is_alone && digest.is_some(),
            },
        ),
        (
            "basis",
            request.basis == request.needs.as_ref().map_or(Basis::Approved, FixedNeeds::basis),
        ),
        ("approved_at", request.approved_at == Some(approved_at)),
        ("granted_scopes", Value::from(request.held_scopes()) == scopes),
        ("expires_at", request.expires_at == ends && duration.is_some_and(|s| s <= MAX_GRANT_S)),
    ];
    Some(what.into_iter().find(|(_, agrees)| !agrees)?.0)
}
