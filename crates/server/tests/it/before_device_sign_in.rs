//! A database of the version before sessions knew the device that they are of.

use breakglass_server::session_token::RefreshToken;
use breakglass_testing::service::{START, Service};
use breakglass_testing::sessions::{
    CHALLENGE, CLIENT, REDIRECT, begun, config_with_providers, refreshed,
};
use sqlx::SqlitePool;
use std::borrow::Cow;

use breakglass_server::random::Randomness;
use breakglass_server::session_token::sha256;

/// The last migration of that version.
const LAST: i64 = 20_261_129_090_000;

#[tokio::test]
async fn its_sessions_and_codes_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("approvals.db");
    let pool = SqlitePool::connect(&format!("sqlite://{}?mode=rwc", path.display())).await.unwrap();
    let mut migrator = sqlx::migrate!("./migrations");
    let before = migrator.migrations.iter().filter(|one| one.version <= LAST).cloned();
    migrator.migrations = Cow::Owned(before.collect());
    migrator.run(&pool).await.unwrap();
    let refresh = RefreshToken::first(&Randomness::from_seed(1));
    sqlx::query(
        "INSERT INTO accounts (name, provider, issuer, subject, groups, groups_at, signed_in_at)
         VALUES ('corp:al-1', 'corp', 'https://corp.test', 'al-1', '[\"oncall\"]', ?1, ?1)",
    )
    .bind(START)
    .execute(&pool)
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO sessions (id, account, client, source, began_at, ends_at, used_at, handle_sha256, refresh_sha256,
             access_sha256, access_expires_at)
         VALUES ('ses_1', 'corp:al-1', ?1, '192.0.2.2', ?2, ?2 + 43200, ?2, ?3, ?4, zeroblob(32), ?2 + 600)",
    )
    .bind(CLIENT)
    .bind(START)
    .bind(refresh.handle_sha256().as_slice())
    .bind(refresh.sha256().as_slice())
    .execute(&pool)
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO authorization_codes (sha256, account, client, redirect_uri, code_challenge, expires_at)
         VALUES (?1, 'corp:al-1', ?2, ?3, ?4, ?5 + 60)",
    )
    .bind(sha256("breakglass_ac_x").as_slice())
    .bind(CLIENT)
    .bind(REDIRECT)
    .bind(CHALLENGE)
    .bind(START)
    .execute(&pool)
    .await
    .unwrap();
    pool.close().await;

    let text = config_with_providers(&directory, "");
    let service = Service::start_with(directory, &text, START).await;
    let next = refreshed(&service, &refresh.text()).await.unwrap();
    assert_eq!((next.session.id.as_str(), next.session.device), ("ses_1", None));
    let session = begun(&service, "breakglass_ac_x").await.unwrap().session;
    assert_eq!((session.account.as_str(), session.device), ("corp:al-1", None));
}
