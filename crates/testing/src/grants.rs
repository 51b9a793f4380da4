//! Many requests and grants.

use breakglass_server::clock::Moment;
use breakglass_server::store::{Happened, Revocations, Store, StoreError};
use serde_json::json;

use crate::service::Service;

/// So many more requests like the one of this id, with the ids `req_1`, `req_2`, ..
pub async fn copies(service: &Service, id: &str, count: i64) {
    sqlx::query(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
         INSERT INTO requests (id, requester, requester_roles, requester_groups, audience, scopes,
             reason, emergency, duration_s, submitted_at, lapses_at)
         SELECT 'req_' || i, requester, requester_roles, requester_groups, audience, scopes,
             reason, emergency, duration_s, submitted_at, lapses_at FROM requests, n WHERE id = ?1",
    )
    .bind(id)
    .bind(count)
    .execute(&service.database().await)
    .await
    .unwrap();
}

/// Carol has approved each request that has no grant, when it was submitted: the grant is `g_` and the request's id.
pub async fn approve_all(service: &Service) {
    sqlx::raw_sql(
        "INSERT INTO approvals (request_id, position, approver, approved_at_ms)
         SELECT id, 1, 'carol', submitted_at * 1000 FROM requests WHERE jti IS NULL;
         UPDATE requests SET approved_at = submitted_at, jti = 'g_' || id, granted_scopes = scopes,
             expires_at = submitted_at + duration_s WHERE jti IS NULL",
    )
    .execute(&service.database().await)
    .await
    .unwrap();
}

/// Ten thousand live grants of alice's.
pub async fn ten_thousand(service: &Service) {
    let (id, _) = service.approved().await;
    copies(service, &id, 9_999).await;
    approve_all(service).await;
}

/// Revokes a grant as a use case does, at this store.
pub async fn revoke(store: &Store, now: Moment, jti: &str) -> Result<(), StoreError> {
    let mut change = store.change().await?;
    let step = change.revoke(now, &[jti.to_owned()], "carol", "r").await?;
    let (after, last, detail) = (step.after, step.epoch, json!({ "reason": "r" }));
    let revocations = Revocations { actor: "carol", after, last, detail };
    change.record(now, &[Happened::Revocations(revocations)]).await?.commit().await
}
