//! What is done to the scratch database of a running service behind its back.

use std::time::Duration;

use breakglass_tests::policy::{APPROVER, AUDIENCE, SUBJECT};
use breakglass_tests::service::Service;
use breakglass_tests::tokens::now;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions};
use tokio::runtime::Builder;

/// Writes so many grants, as the service would but without their rows in its trail: to ask for each
/// would take minutes.
pub(crate) fn write_grants(service: &Service, count: usize) {
    let now = now();
    execute(
        service,
        &format!(
            "BEGIN IMMEDIATE;
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
             INSERT INTO requests (id, requester, requester_roles, requester_groups, audience,
                 scopes, reason, emergency, duration_s, submitted_at, lapses_at)
             SELECT printf('req_%026d', i), '{SUBJECT}', '[]', '[\"oncall\"]', '{AUDIENCE}',
                 '[\"orders:read\"]', 'a measurement', 0, 3600, {now}, {now} + 900 FROM n;
             UPDATE requests SET approved_at = {now}, approved_by = '{APPROVER}',
                 expires_at = {now} + 3600, jti = 'grant_' || substr(id, 5)
             WHERE approved_at IS NULL;
             COMMIT"
        ),
    );
}

/// Makes every proxy read everything anew: what an operator does who restored a backup.
pub(crate) fn reset(service: &Service) {
    execute(service, "UPDATE feed SET id = lower(hex(randomblob(16)))");
}

fn execute(service: &Service, statements: &str) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let options = SqliteConnectOptions::new().filename(service.database());
    let options = options.busy_timeout(Duration::from_secs(10));
    runtime.block_on(async {
        let mut connection: SqliteConnection = options.connect().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut connection).await.unwrap();
    });
}
