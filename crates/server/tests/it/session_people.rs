//! People who have signed in, beside those of the configuration: who they are, in which groups, and what follows.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use breakglass_server::config::Config;
use breakglass_server::domain::end_holders;
use breakglass_server::domain::sessions::{SaidGroups, SignInRefused, end, end_unknown};
use breakglass_testing::service::{START, Service};
use breakglass_testing::sessions::{
    code, config_with_providers, refreshed, said, service, session,
};
use serde_json::{Value, json};

async fn ask(service: &Service, token: &str) -> Value {
    let body = json!({ "scopes": ["orders:read"], "reason": "stuck", "duration": "30m" });
    service.post(token, "/v1/requests", body).await.ok()
}

#[tokio::test]
async fn they_ask_approve_and_take_tokens_under_their_accounts() {
    let service = service().await;
    let alice = session(&service, &said("corp", "al-1", &["oncall"])).await.access;
    let carol = session(&service, &said("corp", "ca-3", &["commanders"])).await.access;
    let request = ask(&service, &alice).await;
    assert_eq!(request["requester"], "corp:al-1");
    let id = request["id"].as_str().unwrap();
    assert_eq!(service.act(&alice, id, "approve").await.refusal(), (403, "self_approval"));
    let view = service.act(&carol, id, "approve").await.ok();
    assert_eq!(view["grant"]["approved_by"], "corp:ca-3", "{view}");
    // Another session of the same person takes the token.
    let again = session(&service, &said("corp", "al-1", &["oncall"])).await.access;
    let token = service.act(&again, id, "token").await.ok()["token"].clone();
    let claims = service.introspect(token.as_str().unwrap()).await;
    assert_eq!(claims["sub"], "corp:al-1");
    let payload = token.as_str().unwrap().split('.').nth(1).unwrap();
    let payload = URL_SAFE_NO_PAD.decode(payload).unwrap();
    let payload: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(payload["groups"], json!(["oncall"]));
}

#[tokio::test]
async fn listed_people_and_those_who_signed_in_meet() {
    let service = service().await;
    let id = service.pending().await;
    let carol = session(&service, &said("corp", "ca-3", &["commanders"])).await.access;
    service.act(&carol, &id, "approve").await.ok();
    let alice = session(&service, &said("corp", "al-1", &["oncall"])).await.access;
    let id = ask(&service, &alice).await["id"].as_str().unwrap().to_owned();
    service.act("carol", &id, "approve").await.ok();
}

#[tokio::test]
async fn people_of_another_provider_are_no_approvers() {
    let directory = tempfile::tempdir().unwrap();
    let text = config_with_providers(&directory, "");
    let text =
        text.replace("[\"oncall\"]\napprovers", "[\"oncall\", \"partner:oncall\"]\napprovers");
    let text = text.replace(
        "approvers = [\"commanders\"]",
        "approvers = [\"commanders\", \"partner:commanders\"]",
    );
    let service = Service::start_with(directory, &text, START).await;
    let id = service.pending().await;
    let partner = session(&service, &said("partner", "ca-3", &["commanders", "oncall"])).await;
    let answer = service.act(&partner.access, &id, "approve").await;
    assert_eq!(answer.refusal(), (403, "not_an_approver"));
    // They ask, as their groups say, and are not among those who are shown as approvers.
    ask(&service, &partner.access).await;
    let shown = service.get("alice", &format!("/v1/requests/{id}")).await.ok();
    assert!(!shown.to_string().contains("partner:ca-3"), "{shown}");
}

#[tokio::test]
async fn groups_that_are_unknown_or_old_allow_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let text = config_with_providers(&directory, "").replacen("\"10m\"", "\"1h\"", 1);
    let service = Service::start_with(directory, &text, START).await;
    let mut unsaid = said("corp", "un-9", &[]);
    unsaid.groups = SaidGroups::Unknown("no claim".to_owned());
    let unsaid = session(&service, &unsaid).await.access;
    let first = session(&service, &said("corp", "al-1", &["oncall"])).await;
    let alice = &first.access;
    let carol = session(&service, &said("corp", "ca-3", &["commanders"])).await.access;
    let body = json!({ "scopes": ["orders:read"], "reason": "stuck", "duration": "30m" });
    let answer = service.post(&unsaid, "/v1/requests", body.clone()).await;
    assert_eq!(answer.refusal(), (503, "membership_unknown"));
    let id = ask(&service, alice).await["id"].as_str().unwrap().to_owned();
    let other = ask(&service, alice).await["id"].as_str().unwrap().to_owned();
    service.act(&carol, &id, "approve").await.ok();
    // After ten minutes the answer counts no more: to ask, to be approved, and to take the first token.
    service.advance(599);
    let none = session(&service, &said("corp", "none", &[])).await.access;
    assert_eq!(
        service.post(&none, "/v1/requests", body.clone()).await.refusal(),
        (403, "not_a_requester")
    );
    service.advance(2);
    let carol = session(&service, &said("corp", "ca-3", &["commanders"])).await.access;
    // The session goes on; what the provider said of her groups does not.
    let alice = &refreshed(&service, &first.refresh).await.unwrap().access;
    let approval = json!({ "digest": service.digest(&other).await });
    for (token, path, body) in [
        (alice, "/v1/requests".to_owned(), body),
        (&carol, format!("/v1/requests/{other}/approve"), approval),
        (alice, format!("/v1/requests/{id}/token"), json!({})),
    ] {
        let answer = service.post(token, &path, body).await;
        assert_eq!(answer.refusal(), (503, "membership_unknown"), "{path}");
    }
}

#[tokio::test]
async fn a_name_that_looks_like_a_listed_one_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let text = config_with_providers(&directory, "").replacen("\"erin\"", "\"CORP:Al-1\"", 1);
    let service = Service::start_with(directory, &text, START).await;
    let answer = code(&service, &said("corp", "al-1", &[])).await;
    assert!(matches!(answer, Err(SignInRefused::NameTaken { .. })), "{answer:?}");
    code(&service, &said("corp", "al-2", &[])).await.unwrap();
}

#[tokio::test]
async fn whoever_is_listed_under_the_name_of_an_account_is_not_that_account() {
    let service = service().await;
    let alice = session(&service, &said("corp", "al-1", &["oncall"])).await.access;
    let text =
        config_with_providers(&service.directory, "").replacen("\"erin\"", "\"corp:al-1\"", 1);
    service.app.reconfigure(Config::parse(&text).unwrap());
    assert_eq!(service.get(&alice, "/v1/scopes").await.refusal(), (401, "session_ended"));
}

#[tokio::test]
async fn an_account_is_no_leaver_until_its_provider_is_gone() {
    let service = service().await;
    let alice = session(&service, &said("corp", "al-1", &["oncall"])).await.access;
    let id = ask(&service, &alice).await["id"].as_str().unwrap().to_owned();
    service.act("carol", &id, "approve").await.ok();
    assert!(end_holders(&service.app).await.unwrap().people.is_empty());
    // Another issuer under the name is another provider.
    let text = config_with_providers(&service.directory, "");
    let text = text.replacen("https://corp.test", "https://new.test", 1);
    service.app.reconfigure(Config::parse(&text).unwrap());
    assert_eq!(service.get(&alice, "/v1/scopes").await.refusal(), (401, "session_ended"));
    let ended = end_holders(&service.app).await.unwrap();
    assert_eq!((ended.people, ended.revoked), (vec!["corp:al-1".to_owned()], 1));
}

#[tokio::test]
async fn a_provider_that_is_put_back_brings_no_session_back() {
    let service = service().await;
    let alice = session(&service, &said("corp", "al-1", &["oncall"])).await;
    let other = session(&service, &said("partner", "pa-1", &["oncall"])).await;
    let with = config_with_providers(&service.directory, "");
    let without = with.replacen("name = \"corp\"", "name = \"new\"", 1);
    assert_eq!(end_unknown(&service.app).await.unwrap(), 0);
    service.app.reconfigure(Config::parse(&without).unwrap());
    assert_eq!(end_unknown(&service.app).await.unwrap(), 1);
    service.app.reconfigure(Config::parse(&with).unwrap());
    assert_eq!(service.get(&alice.access, "/v1/scopes").await.refusal(), (401, "session_ended"));
    assert!(refreshed(&service, &alice.refresh).await.is_err());
    let ended = service.app.store().session(&alice.session.id).await.unwrap().unwrap();
    assert_eq!(ended.end_reason.as_deref(), Some("provider_removed"));
    service.get(&other.access, "/v1/scopes").await.ok();
}

#[tokio::test]
async fn administrators_end_sessions_and_approve_nothing_by_it() {
    let service = service().await;
    let alice = session(&service, &said("corp", "al-1", &["oncall"])).await;
    let admin = session(&service, &said("corp", "ad-4", &["admins"])).await;
    let person = |name: &str| service.app.config().person(name).unwrap();
    let (id, now) = (alice.session.id.as_str(), service.app.now());
    let other = person("corp:ad-4");
    let refused = end(&service.app, &person("erin"), now, id, None).await.unwrap_err();
    assert_eq!(refused.to_string(), "not an administrator");
    let ended = end(&service.app, &other, now, id, None).await.unwrap();
    assert_eq!(ended.end_reason.as_deref(), Some("ended_by_administrator"));
    assert_eq!(service.get(&alice.access, "/v1/scopes").await.status, 401);
    let id = service.pending().await;
    let answer = service.act(&admin.access, &id, "approve").await;
    assert_eq!(answer.refusal(), (403, "not_an_approver"));
}
