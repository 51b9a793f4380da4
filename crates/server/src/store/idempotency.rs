//! Repeated submissions: the same key and the same body, by the same person with the same credential, are one
//! request.

use sqlx::SqliteConnection;

use super::{Store, StoreError, exactly_one};
use crate::clock::Moment;
use crate::config::Digest;
use crate::limits::IDEMPOTENCY_S;

/// The most keys whose time is over that one submission deletes: twice what it can add keeps the table small,
/// and the rest is work that a person waits for.
const SWEEP: i64 = 100;

/// What a client says of a submission, so that it can send it again.
#[derive(Debug, Clone, Copy)]
pub struct Idempotency<'a> {
    /// The client's key.
    pub key: &'a str,
    /// The SHA-256 of what is asked for.
    pub body_sha256: Digest,
}

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Earlier {
    /// Nothing.
    None,
    /// It stands for this request, and the same was asked for.
    Same(String),
    /// It stands for another request.
    Other,
}

/// The earlier use of this key.
pub(super) async fn earlier(
    connection: &mut SqliteConnection,
    now: Moment,
    person: &str,
    credential: &Digest,
    idempotency: &Idempotency<'_>,
) -> Result<Earlier, StoreError> {
    let known: Option<(String, Vec<u8>)> = sqlx::query_as(
        "SELECT request_id, body_sha256 FROM idempotency_keys
         WHERE person = ?1 AND submitted_with = ?2 AND key = ?3 AND expires_at > ?4",
    )
    .bind(person)
    .bind(credential.as_slice())
    .bind(idempotency.key)
    .bind(now.seconds())
    .fetch_optional(connection)
    .await?;
    Ok(match known {
        None => Earlier::None,
        Some((id, body)) if body == idempotency.body_sha256 => Earlier::Same(id),
        Some(_) => Earlier::Other,
    })
}

/// Keeps a key for a request, and deletes keys whose time is over.
pub(super) async fn keep(
    connection: &mut SqliteConnection,
    now: Moment,
    person: &str,
    credential: &Digest,
    idempotency: &Idempotency<'_>,
    request_id: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM idempotency_keys WHERE (person, submitted_with, key) IN (
             SELECT person, submitted_with, key FROM idempotency_keys
             WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)
         OR (person = ?3 AND submitted_with = ?4 AND key = ?5 AND expires_at <= ?1)",
    )
    .bind(now.seconds())
    .bind(SWEEP)
    .bind(person)
    .bind(credential.as_slice())
    .bind(idempotency.key)
    .execute(&mut *connection)
    .await?;
    let result = sqlx::query(
        "INSERT INTO idempotency_keys
             (person, submitted_with, key, body_sha256, request_id, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )
    .bind(person)
    .bind(credential.as_slice())
    .bind(idempotency.key)
    .bind(idempotency.body_sha256.as_slice())
    .bind(request_id)
    .bind(now.seconds().saturating_add(IDEMPOTENCY_S))
    .execute(connection)
    .await?;
    exactly_one(&result)
}

impl Store {
    /// The earlier use of this key, before anything is checked: a repeated submission has the first one's
    /// answer whatever the configuration says now.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn earlier_submission(
        &self,
        now: Moment,
        person: &str,
        credential: &Digest,
        idempotency: &Idempotency<'_>,
    ) -> Result<Earlier, StoreError> {
        let mut connection = self.lookups.acquire().await?;
        earlier(&mut connection, now, person, credential, idempotency).await
    }
}
