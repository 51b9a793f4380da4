//! Many grants.

use crate::service::Service;

/// Ten thousand live grants of alice's.
pub async fn ten_thousand(service: &Service) {
    let (id, _) = service.approved().await;
    let database = service.database().await;
    sqlx::query(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)
         INSERT INTO requests (id, requester, requester_roles, requester_groups, audience, scopes,
             reason, emergency, duration_s, submitted_at, lapses_at)
         SELECT 'req_' || i, requester, requester_roles, requester_groups, audience, scopes,
             reason, emergency, duration_s, submitted_at, lapses_at FROM requests, n WHERE id = ?1",
    )
    .bind(&id)
    .execute(&database)
    .await
    .unwrap();
    sqlx::query(
        "UPDATE requests SET approved_at = submitted_at, approved_by = 'carol', jti = 'g_' || id,
             expires_at = submitted_at + duration_s WHERE jti IS NULL",
    )
    .execute(&database)
    .await
    .unwrap();
}
