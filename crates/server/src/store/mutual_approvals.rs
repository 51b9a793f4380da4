//! People who approve for each other: what the requester of a grant approved for its approvers, about when they approved it.

use sqlx::SqliteConnection;

use super::change::Change;
use super::{Request, Store, StoreError};

/// How far two approvals may be apart to be shown together, in milliseconds.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A request of an approver of a grant that the grant's requester approved.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, sqlx::FromRow)]
pub struct MutualApproval {
    /// When, in milliseconds.
    pub approved_at_ms: i64,
    /// The request.
    pub request: String,
    /// Whose request.
    pub approver: String,
}

impl Store {
    /// The requests of the approvers of this one that its requester approved within 24 hours before or after they approved
    /// it, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn mutual_approvals(
        &self,
        request: &Request,
    ) -> Result<Vec<MutualApproval>, StoreError> {
        read(&mut *self.lookups.acquire().await?, request).await
    }
}

impl Change {
    /// The same, which stays so until the change ends.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn mutual_approvals(
        &mut self,
        request: &Request,
    ) -> Result<Vec<MutualApproval>, StoreError> {
        read(&mut self.0, request).await
    }
}

async fn read(
    connection: &mut SqliteConnection,
    request: &Request,
) -> Result<Vec<MutualApproval>, StoreError> {
    let mut found = Vec::new();
    for approval in &request.approvals {
        let of_one: Vec<MutualApproval> = sqlx::query_as(
            "SELECT approved_at_ms, requests.id AS request, requester AS approver
             FROM approvals JOIN requests ON requests.id = approvals.request_id
             WHERE approver = ?1 AND approved_at_ms BETWEEN ?2 AND ?3 AND requester = ?4",
        )
        .bind(&request.requester)
        .bind(approval.approved_at_ms.saturating_sub(DAY_MS))
        .bind(approval.approved_at_ms.saturating_add(DAY_MS))
        .bind(&approval.approver)
        .fetch_all(&mut *connection)
        .await?;
        found.extend(of_one);
    }
    found.sort();
    Ok(found)
}
