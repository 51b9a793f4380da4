//! Groups that are asked for again at the provider before they open anything: what it says, that it is away, and that its
//! session is over.

use breakglass_server::domain::sessions::{SignedIn, Tokens};
use breakglass_testing::provider::{Away, Refreshing, TestProvider};
use breakglass_testing::service::{START, Service, config};
use breakglass_testing::sessions::{approving_by_token, at_provider, refreshed, said, session};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The configuration with `corp` at this provider, which an operator would write.
pub(crate) fn configuration(directory: &TempDir, provider: &TestProvider, top: &str) -> String {
    let secret = directory.path().join("secret");
    std::fs::write(&secret, TestProvider::secret()).unwrap();
    let more = "may_approve = true\ngroups_absent = \"unknown\"";
    let entry = provider.entry("corp", &secret.display().to_string(), more);
    // Longer than an answer of a provider counts.
    let text = config(directory).replacen("\"10m\"", "\"2h\"", 1);
    let people = approving_by_token(&text);
    format!("administrators = [\"admins\"]\n{top}\n{people}{entry}")
}

pub(crate) async fn with(provider: &TestProvider, top: &str) -> Service {
    let directory = tempfile::tempdir().unwrap();
    let text = configuration(&directory, provider, top);
    Service::start_with(directory, &text, START).await
}

fn claims(service: &Service, subject: &str) -> Value {
    let now = service.app.now().seconds();
    json!({ "sub": subject, "iat": now, "exp": now + 300 })
}

/// From now on the provider says these groups of the person.
pub(crate) fn says(service: &Service, provider: &TestProvider, subject: &str, groups: &[&str]) {
    let mut claims = claims(service, subject);
    claims["groups"] = json!(groups);
    provider.refreshes_to(subject, Refreshing::Claims(claims));
}

/// What a sign-in of the person at the provider brings.
pub(crate) fn with_session(provider: &TestProvider, subject: &str, groups: &[&str]) -> SignedIn {
    let token = provider.refresh_token(subject);
    let mut said = said("corp", subject, groups);
    said.issuer.clone_from(&provider.issuer);
    at_provider(said, &token)
}

pub(crate) async fn signed_in(
    service: &Service,
    provider: &TestProvider,
    subject: &str,
    groups: &[&str],
) -> Tokens {
    session(service, &with_session(provider, subject, groups)).await
}

pub(crate) fn asked() -> Value {
    json!({ "scopes": ["orders:read"], "reason": "stuck", "duration": "30m" })
}

/// Lets the time pass, and the client of the session take its next tokens.
async fn later(service: &Service, tokens: &Tokens, seconds: i64) -> Tokens {
    service.advance(seconds);
    refreshed(service, &tokens.refresh).await.unwrap()
}

async fn details(service: &Service, action: &str) -> Vec<Value> {
    let rows: Vec<(String,)> =
        sqlx::query_as("SELECT detail FROM audit WHERE action = ?1 ORDER BY seq")
            .bind(action)
            .fetch_all(&service.database().await)
            .await
            .unwrap();
    rows.iter().map(|(detail,)| serde_json::from_str(detail).unwrap()).collect()
}

pub(crate) async fn acts(service: &Service, action: &str) -> Vec<Value> {
    let rows: Vec<(String,)> =
        sqlx::query_as("SELECT detail FROM service_trail WHERE action = ?1 ORDER BY seq")
            .bind(action)
            .fetch_all(&service.database().await)
            .await
            .unwrap();
    rows.iter().map(|(detail,)| serde_json::from_str(detail).unwrap()).collect()
}

#[tokio::test]
async fn an_answer_that_is_too_old_is_asked_for_anew_then_and_there() {
    let provider = TestProvider::start();
    let service = with(&provider, "").await;
    let alice = signed_in(&service, &provider, "al-1", &["oncall"]).await;
    let carol = signed_in(&service, &provider, "ca-3", &["commanders"]).await;
    // While it is young enough, nothing is asked.
    let id = service.post(&alice.access, "/v1/requests", asked()).await.ok()["id"].clone();
    let id = id.as_str().unwrap();
    assert_eq!(provider.refreshes(), Vec::<String>::new());
    let alice = later(&service, &alice, 601).await;
    let carol = refreshed(&service, &carol.refresh).await.unwrap();
    says(&service, &provider, "al-1", &["oncall"]);
    says(&service, &provider, "ca-3", &["commanders"]);
    // The approver is asked about before anything is shown, and the requester before it is approved.
    service.get(&carol.access, &format!("/v1/requests/{id}")).await.ok();
    assert_eq!(provider.refreshes(), ["ca-3"]);
    let view = service.act(&carol.access, id, "approve").await.ok();
    assert_eq!(view["old_groups"], Value::Null, "{view}");
    assert_eq!(provider.refreshes(), ["ca-3", "al-1"]);
    service.act(&alice.access, id, "token").await.ok();
    assert_eq!(provider.refreshes(), ["ca-3", "al-1"]);
    // Ten minutes later again, with the refresh token that came the last time.
    let alice = later(&service, &alice, 601).await;
    says(&service, &provider, "al-1", &["dbas"]);
    let refused = service.post(&alice.access, "/v1/requests", asked()).await;
    assert_eq!(refused.refusal(), (403, "not_a_requester"));
    let changed = acts(&service, "groups_changed").await;
    assert_eq!(
        (&changed[0]["before"], &changed[0]["groups"]),
        (&json!(["oncall"]), &json!(["dbas"]))
    );
    assert_eq!(changed.len(), 1);
}

#[tokio::test]
async fn an_approver_who_lost_the_group_and_a_requester_who_did_are_refused() {
    let provider = TestProvider::start();
    let service = with(&provider, "").await;
    let alice = signed_in(&service, &provider, "al-1", &["oncall"]).await;
    let carol = signed_in(&service, &provider, "ca-3", &["commanders"]).await;
    let id = service.post(&alice.access, "/v1/requests", asked()).await.ok()["id"].clone();
    let id = id.as_str().unwrap();
    let carol = later(&service, &carol, 601).await;
    says(&service, &provider, "al-1", &["oncall"]);
    says(&service, &provider, "ca-3", &["loners"]);
    let refused = service.act(&carol.access, id, "approve").await;
    assert_eq!(refused.refusal(), (403, "not_an_approver"));
    // That cost the requester's provider nothing.
    assert_eq!(provider.refreshes(), ["ca-3"]);
    let carol = later(&service, &carol, 601).await;
    says(&service, &provider, "ca-3", &["commanders"]);
    says(&service, &provider, "al-1", &[]);
    let refused = service.act(&carol.access, id, "approve").await;
    assert_eq!(refused.refusal(), (403, "no_longer_allowed"));
}

#[tokio::test]
async fn fifty_requests_of_one_person_at_once_make_one_question() {
    let provider = TestProvider::start();
    let service = with(&provider, "").await;
    let alice = signed_in(&service, &provider, "al-1", &["oncall"]).await;
    let alice = later(&service, &alice, 601).await;
    says(&service, &provider, "al-1", &["oncall"]);
    let calls = (0..50).map(|_| service.post(&alice.access, "/v1/requests", asked()));
    for answer in join_all(calls).await {
        answer.ok();
    }
    assert_eq!(provider.refreshes(), ["al-1"]);
}

#[tokio::test]
async fn while_the_provider_is_away_the_last_answer_counts_for_a_while_and_that_is_said() {
    for away in [Away::Silent, Away::Closes, Away::Status(503)] {
        let provider = TestProvider::start();
        let service = with(&provider, "activate_within = \"2h\"").await;
        let alice = signed_in(&service, &provider, "al-1", &["oncall"]).await;
        let carol = signed_in(&service, &provider, "ca-3", &["commanders"]).await;
        let mut alice = later(&service, &alice, 1200).await;
        let mut carol = refreshed(&service, &carol.refresh).await.unwrap();
        provider.is(away);
        let view = service.post(&alice.access, "/v1/requests", asked()).await.ok();
        let old = &view["old_groups"][0];
        let expected = (&json!("corp:al-1"), &json!("corp"), &json!("2026-11-22T02:13:00Z"));
        assert_eq!((&old["person"], &old["provider"], &old["said_at"]), expected, "{view}");
        let id = view["id"].as_str().unwrap();
        let view = service.act(&carol.access, id, "approve").await.ok();
        assert_eq!(view["old_groups"].as_array().unwrap().len(), 2, "{view}");
        let token = service.act(&alice.access, id, "token").await.ok();
        assert_eq!(token["old_groups"][0]["provider"], "corp", "{token}");
        for action in ["submit", "approve", "issue_token"] {
            let details = details(&service, action).await;
            assert_eq!(details[0]["old_groups"][0]["provider"], "corp", "{action}: {details:?}");
        }
        // An hour after the last answer it counts no more: that is a refusal which names the provider, and no grant ends.
        alice = later(&service, &alice, 1200).await;
        carol = refreshed(&service, &carol.refresh).await.unwrap();
        service.post(&alice.access, "/v1/requests", asked()).await.ok();
        alice = later(&service, &alice, 1201).await;
        let refused = service.post(&alice.access, "/v1/requests", asked()).await;
        assert_eq!(refused.refusal(), (503, "membership_unknown"));
        assert!(refused.body["detail"].as_str().unwrap().contains("`corp`"), "{refused:?}");
        assert_eq!(acts(&service, "holder_left").await, Vec::<Value>::new());
        // When it answers again, everything goes on: what failed is asked again after a while.
        provider.is(Away::No);
        says(&service, &provider, "al-1", &["oncall"]);
        says(&service, &provider, "ca-3", &["commanders"]);
        service.advance(15);
        carol = refreshed(&service, &carol.refresh).await.unwrap();
        service.post(&alice.access, "/v1/requests", asked()).await.ok();
        service.get(&carol.access, "/v1/requests").await.ok();
    }
}

#[tokio::test]
async fn to_end_something_the_last_answer_counts_however_old() {
    let provider = TestProvider::start();
    let service = with(&provider, "outage_directory_age = \"10m\"").await;
    let alice = signed_in(&service, &provider, "al-1", &["oncall"]).await;
    let carol = signed_in(&service, &provider, "ca-3", &["commanders"]).await;
    let dora = signed_in(&service, &provider, "do-4", &["loners"]).await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        let asked = service.post(&alice.access, "/v1/requests", asked()).await.ok();
        ids.push(asked["id"].as_str().unwrap().to_owned());
    }
    let [one, two, three, pending] = &ids[..] else { panic!("{ids:?}") };
    let mut grants = Vec::new();
    for id in [one, two, three] {
        let approved = service.act("carol", id, "approve").await.ok();
        grants.push(approved["grant"]["id"].as_str().unwrap().to_owned());
    }
    provider.is(Away::Closes);
    let carol = later(&service, &carol, 601).await;
    let dora = refreshed(&service, &dora.refresh).await.unwrap();
    let refused = service.act(&carol.access, pending, "approve").await;
    assert_eq!(refused.refusal(), (503, "membership_unknown"));
    service.revoke(&carol.access, &grants[0]).await.ok();
    let ended = service.kill(&carol.access, json!({ "subject": "corp:al-1" })).await.ok();
    assert_eq!((&ended["revoked"], &ended["not_yours"]), (&json!(2), &json!(0)), "{ended}");
    service.act(&carol.access, pending, "deny").await.ok();
    assert_eq!(service.revoke(&dora.access, &grants[1]).await.refusal().0, 403);
    // An answer that does not say it leaves nothing of the one before.
    provider.is(Away::No);
    provider.refreshes_to("ca-3", Refreshing::Claims(claims(&service, "ca-3")));
    service.advance(15);
    let refused = service.revoke(&carol.access, &grants[1]).await;
    assert_eq!(refused.refusal(), (503, "membership_unknown"));
}

#[tokio::test]
async fn an_answer_without_the_claim_is_unknown_and_ends_nothing() {
    let provider = TestProvider::start();
    let service = with(&provider, "").await;
    let alice = signed_in(&service, &provider, "al-1", &["oncall"]).await;
    let id = service.post(&alice.access, "/v1/requests", asked()).await.ok()["id"].clone();
    service.act("carol", id.as_str().unwrap(), "approve").await.ok();
    let alice = later(&service, &alice, 601).await;
    provider.refreshes_to("al-1", Refreshing::Claims(claims(&service, "al-1")));
    let refused = service.act(&alice.access, id.as_str().unwrap(), "token").await;
    assert_eq!(refused.refusal(), (503, "membership_unknown"));
    assert!(refused.body["detail"].as_str().unwrap().contains("`groups`"), "{refused:?}");
    let asked = "breakglass_directory_answers_total{outcome=\"no_groups\"}";
    assert_eq!(service.counter(asked).await, 1);
    // It was an answer: that the provider is away then makes nothing count again.
    provider.is(Away::Closes);
    let alice = later(&service, &alice, 20).await;
    let refused = service.act(&alice.access, id.as_str().unwrap(), "token").await;
    assert_eq!(refused.refusal(), (503, "membership_unknown"));
    assert_eq!(acts(&service, "holder_left").await, Vec::<Value>::new());
}

#[tokio::test]
async fn invalid_grant_ends_the_session_and_no_grant() {
    let provider = TestProvider::start();
    let service = with(&provider, "").await;
    let alice = signed_in(&service, &provider, "al-1", &["oncall"]).await;
    let id = service.post(&alice.access, "/v1/requests", asked()).await.ok()["id"].clone();
    let id = id.as_str().unwrap();
    service.act("carol", id, "approve").await.ok();
    service.act(&alice.access, id, "token").await.ok();
    let alice = later(&service, &alice, 601).await;
    provider.refreshes_to("al-1", Refreshing::Error("invalid_grant"));
    let refused = service.post(&alice.access, "/v1/requests", asked()).await;
    assert_eq!(refused.refusal(), (401, "session_ended"));
    let ended = acts(&service, "session_ended").await;
    assert_eq!(ended[0]["reason"], "ended_by_provider", "{ended:?}");
    let request = service.get("carol", &format!("/v1/requests/{id}")).await.ok();
    assert_eq!(request["state"], "active", "{request}");
    // Nothing is left with which the provider could be asked.
    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sessions WHERE provider_session IS NOT NULL")
            .fetch_one(&service.database().await)
            .await
            .unwrap();
    assert_eq!(left, 0);
    // Any other refusal ends nothing.
    let again = signed_in(&service, &provider, "al-1", &["oncall"]).await;
    let again = later(&service, &again, 601).await;
    provider.refreshes_to("al-1", Refreshing::Error("invalid_client"));
    let refused = service.post(&again.access, "/v1/requests", asked()).await;
    assert_eq!(refused.refusal(), (503, "membership_unknown"));
    assert_eq!(acts(&service, "session_ended").await.len(), 1);
}

#[tokio::test]
async fn a_session_that_is_over_at_the_provider_leaves_the_others() {
    let provider = TestProvider::start();
    let service = with(&provider, "").await;
    let void = with_session(&provider, "al-1", &["oncall"]);
    let older = signed_in(&service, &provider, "al-1", &["oncall"]).await;
    service.advance(1);
    let newer = session(&service, &void).await;
    let older = later(&service, &older, 601).await;
    says(&service, &provider, "al-1", &["oncall"]);
    // The newest is asked by first.
    service.post(&older.access, "/v1/requests", asked()).await.ok();
    let ended = acts(&service, "session_ended").await;
    assert_eq!((ended.len(), &ended[0]["session"]), (1, &json!(newer.session.id)));
}

#[tokio::test]
async fn what_is_kept_of_a_session_is_sealed_and_survives_a_restart() {
    let provider = TestProvider::start();
    let service = with(&provider, "").await;
    let alice = signed_in(&service, &provider, "al-1", &["oncall"]).await;
    let kept: Vec<u8> = sqlx::query_scalar("SELECT provider_session FROM sessions")
        .fetch_one(&service.database().await)
        .await
        .unwrap();
    assert!(!String::from_utf8_lossy(&kept).contains("rt-1"), "{kept:?}");
    let codes: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM authorization_codes WHERE provider_session IS NOT NULL",
    )
    .fetch_one(&service.database().await)
    .await
    .unwrap();
    assert_eq!(codes, 0);
    let text = configuration(&service.directory, &provider, "");
    service.app.store().close().await;
    let service = Service::start_with(service.directory, &text, START + 700).await;
    let alice = refreshed(&service, &alice.refresh).await.unwrap();
    says(&service, &provider, "al-1", &["oncall"]);
    service.post(&alice.access, "/v1/requests", asked()).await.ok();
    // A session that ends takes it along.
    let path = format!("/v1/sessions/{}/end", alice.session.id);
    service.post(&alice.access, &path, json!({})).await.ok();
    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sessions WHERE provider_session IS NOT NULL")
            .fetch_one(&service.database().await)
            .await
            .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn what_is_kept_of_sessions_that_are_over_or_idle_is_swept() {
    let provider = TestProvider::start();
    let service = with(&provider, "").await;
    signed_in(&service, &provider, "al-1", &["oncall"]).await;
    let left = async || -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM sessions WHERE provider_session IS NOT NULL")
            .fetch_one(&service.database().await)
            .await
            .unwrap()
    };
    service.app.store().sweep_sessions(service.app.now()).await.unwrap();
    assert_eq!(left().await, 1);
    service.advance(3600);
    service.app.store().sweep_sessions(service.app.now()).await.unwrap();
    assert_eq!(left().await, 0);
}
