//! What is said about a request before it is decided.

use super::batch::{self, Changes, change_request};
use super::change::{Change, Changed};
use super::{Request, Store, StoreError};
use crate::clock::Moment;

/// One question or answer.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Remark {
    /// Who.
    pub author: String,
    /// When, in milliseconds.
    pub at_ms: i64,
    /// `question` or `answer`.
    pub kind: String,
    /// What.
    pub text: String,
}

impl Change {
    /// Adds a remark.
    ///
    /// # Errors
    /// [`StoreError`] if the database refuses it.
    pub async fn say(
        self,
        now: Moment,
        request: &Request,
        remark: &Remark,
    ) -> Result<Changed, StoreError> {
        let batch = sqlx::query(change_request!(
            "INSERT INTO discussion (request_id, position, at_ms, author, kind, text)
             SELECT ?2, (SELECT coalesce(max(position), 0) + 1 FROM discussion WHERE request_id = ?2), ?3, ?4, ?5, ?6;"
        ))
        .bind(now.seconds())
        .bind(&request.id)
        .bind(remark.at_ms)
        .bind(&remark.author)
        .bind(&remark.kind)
        .bind(&remark.text);
        batch::changed(self, &[Changes::One], batch).await
    }
}

impl Store {
    /// What is said about the request, in order.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn discussion(&self, request: &str) -> Result<Vec<Remark>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT author, at_ms, kind, text FROM discussion WHERE request_id = ?1 ORDER BY position",
        )
        .bind(request)
        .fetch_all(&self.lookups)
        .await?)
    }
}
