//! The chain of events: each is a link that has the hash of the link before it, and a signature by a key that is not in the
//! database. docs/approval-service.md describes the form; the auditor's own reader of it is `breakglass_audit::service`, which
//! shares no code with this writer: crates/types/tests/vectors/trail.json ties the two.

use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::{SqliteConnection, SqlitePool};

use super::StoreError;
use super::event::{Event, select_events};
use super::write::Write;
use crate::issuer::TrailKeys;

/// The start of what the first link's `prev` is the hash of.
const BEGIN: &str = "breakglass-trail-begin-1\n";

/// How many events of before are read at once.
const STEP: i64 = 5_000;

/// What of an event is hashed.
// INVARIANT (trail-form): the members stand in the order of their names, as RFC 8785 sorts them.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Form<'a> {
    pub(super) actor: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) audience: Option<&'a str>,
    pub(super) data: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) grant: Option<&'a str>,
    pub(super) id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) incident: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request_seq: Option<i64>,
    pub(super) seq: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) subject: Option<&'a str>,
    pub(super) time_ms: i64,
    #[serde(rename = "type")]
    pub(super) kind: &'a str,
    pub(super) version: i64,
}

/// What an event has in the chain.
#[derive(Debug, Clone)]
pub(super) struct Sealed {
    pub(super) prev: String,
    pub(super) hash: String,
    pub(super) signature: String,
}

impl Form<'_> {
    fn text(&self) -> Vec<u8> {
        // Texts, numbers and JSON are always written.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The hash of this event after the link with the hash `prev`.
    pub(super) fn hash(&self, prev: &str) -> String {
        let hash = Sha256::new().chain_update(prev).chain_update("\n").chain_update(self.text());
        breakglass_types::hex::lower(&hash.finalize())
    }

    /// The link of this event.
    pub(super) fn seal(&self, prev: &str, keys: &TrailKeys) -> Sealed {
        let hash = self.hash(prev);
        let signature = keys.sign(&hash);
        Sealed { prev: prev.to_owned(), hash, signature }
    }
}

impl Event {
    pub(super) fn form(&self) -> Form<'_> {
        Form {
            actor: &self.actor,
            audience: self.audience.as_deref(),
            data: &self.data,
            grant: self.jti.as_deref(),
            id: &self.id,
            incident: self.incident.as_deref(),
            request: self.request_id.as_deref(),
            request_seq: self.request_seq,
            seq: self.seq,
            subject: self.subject.as_deref(),
            time_ms: self.time_ms,
            kind: &self.kind,
            version: self.version,
        }
    }

    /// As the interface shows it, for an auditor who has the file. `text` is its data as it is kept: the service writes it in
    /// one form, and what is in another one, such as with a member twice, is not what it wrote.
    pub(super) fn shown(&self, text: String) -> Value {
        let mut shown = serde_json::to_value(self.form()).unwrap_or_default();
        let (Some(members), Some(hash)) = (shown.as_object_mut(), &self.hash) else { return shown };
        let written = self.data.to_string();
        if written != text {
            members.insert("data".to_owned(), Value::from(text));
        }
        let link = json!({
            "prev": self.prev, "hash": hash, "kid": self.kid, "signature": self.signature,
        });
        members.insert("link".to_owned(), link);
        shown
    }
}

/// What is signed of a head that is told to other places: `head`, time, place and hash, with a blank between two.
pub(super) fn signed_text(time: &str, seq: i64, hash: &str) -> String {
    format!("head {time} {seq} {hash}")
}

/// Begins the chain of a database that has none: from now on all events of before are covered by its first link.
pub(super) async fn begin(pool: &SqlitePool) -> Result<(), StoreError> {
    let head = "SELECT head FROM positions";
    if sqlx::query_scalar::<_, Option<String>>(head).fetch_one(pool).await?.is_some() {
        return Ok(());
    }
    let mut transaction = Write::begin(pool).await?;
    let head = of_before(&mut transaction).await?;
    // Another process that opens the database at the same time may have begun it since the look: then it stays as it is.
    sqlx::query("UPDATE positions SET head = ?1 WHERE head IS NULL")
        .bind(head)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

/// The hash of all events of before the chain: what the first link goes on from.
#[derive(Debug)]
pub(super) struct OfBefore(Sha256);

impl OfBefore {
    /// That of none.
    pub(super) fn new() -> OfBefore {
        OfBefore(Sha256::new().chain_update(BEGIN))
    }

    /// Adds the next event.
    pub(super) fn add(&mut self, event: &Event) {
        self.0.update(event.form().text());
        self.0.update("\n");
    }

    /// The hash.
    pub(super) fn end(self) -> String {
        breakglass_types::hex::lower(&self.0.finalize())
    }
}

/// The hash of all events of before.
async fn of_before(connection: &mut SqliteConnection) -> Result<String, StoreError> {
    let mut hash = OfBefore::new();
    let mut after = 0;
    loop {
        let events: Vec<Event> =
            sqlx::query_as(select_events!("WHERE seq > ?1 AND hash IS NULL ORDER BY seq LIMIT ?2"))
                .bind(after)
                .bind(STEP)
                .fetch_all(&mut *connection)
                .await?;
        let Some(last) = events.last() else {
            return Ok(hash.end());
        };
        after = last.seq;
        events.iter().for_each(|event| hash.add(event));
    }
}

#[cfg(test)]
mod tests;
