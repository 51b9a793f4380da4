//! A database of the version before what is kept of sessions at providers: its people and sessions go on.

use std::path::Path;

use breakglass_server::random::Randomness;
use breakglass_server::session_token::{RefreshToken, access_token, sha256};
use breakglass_testing::service::{START, Service};
use breakglass_testing::sessions::{config_with_providers, issuer, refreshed};
use serde_json::json;
use sqlx::SqlitePool;
use sqlx::migrate::Migrator;

/// The last migration of the version before.
const BEFORE: &str = "20261129090000";

/// Makes the database as the version before did.
async fn make(path: &Path) -> SqlitePool {
    let folder = tempfile::tempdir().unwrap();
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    for entry in std::fs::read_dir(all).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name.split('_').next().unwrap() <= BEFORE {
            std::fs::copy(entry.path(), folder.path().join(name)).unwrap();
        }
    }
    let url = format!("sqlite://{}?mode=rwc", path.display());
    let database = SqlitePool::connect(&url).await.unwrap();
    Migrator::new(folder.path()).await.unwrap().run(&database).await.unwrap();
    database
}

#[tokio::test]
async fn people_and_sessions_of_before_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let database = make(&directory.path().join("approvals.db")).await;
    let randomness = Randomness::from_seed(9);
    let (refresh, access) = (RefreshToken::first(&randomness), access_token(&randomness));
    sqlx::query(
        "INSERT INTO accounts (name, provider, issuer, subject, groups, groups_at, signed_in_at, mail)
         VALUES ('corp:al-1', 'corp', ?1, 'al-1', '[\"oncall\"]', ?2, ?2, 'al@corp.test')",
    )
    .bind(issuer("corp"))
    .bind(START)
    .execute(&database)
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO sessions (id, account, client, began_at, ends_at, used_at, handle_sha256, refresh_sha256, access_sha256,
             access_expires_at)
         VALUES ('ses_1', 'corp:al-1', 'breakglass-cli', ?1, ?1 + 43200, ?1, ?2, ?3, ?4, ?1 + 600)",
    )
    .bind(START)
    .bind(refresh.handle_sha256().as_slice())
    .bind(refresh.sha256().as_slice())
    .bind(sha256(&access).as_slice())
    .execute(&database)
    .await
    .unwrap();
    database.close().await;
    let text = config_with_providers(&directory, "");
    let service = Service::start_with(directory, &text, START + 60).await;
    let body = json!({ "scopes": ["orders:read"], "reason": "stuck", "duration": "30m" });
    service.post(&access, "/v1/requests", body.clone()).await.ok();
    // Whether the provider has verified the address is not known: nothing is sent there.
    let who = service.get(&access, "/v1/whoami").await.ok();
    assert_eq!(who["mail"], "al@corp.test");
    assert_eq!(who["notify"], json!({ "mail": true, "address": null }));
    // Nothing is kept with which the provider could be asked: that is said, with what to do.
    service.advance(601);
    let alice = refreshed(&service, &refresh.text()).await.unwrap().access;
    let refused = service.post(&alice, "/v1/requests", body).await;
    assert_eq!(refused.refusal(), (503, "membership_unknown"));
    let detail = refused.body["detail"].as_str().unwrap();
    assert!(detail.contains("`corp`") && detail.contains("breakglass login"), "{detail}");
}
