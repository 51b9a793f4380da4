//! Who the caller is, and the way to the identity provider's page for signing out.

use axum::body::Body;
use axum::http::Request;
use breakglass_testing::provider::TestProvider;
use breakglass_testing::service::{Answer, START, Service, config, token_of};
use breakglass_testing::sessions::{said, service, session};
use serde_json::json;

use crate::session_routes::{get, location, with};
use breakglass_server::domain::sessions::SaidGroups;
use breakglass_server::session_token::ACCESS_PREFIX;

async fn asked(service: &Service, who: &str) -> serde_json::Value {
    service.get(who, "/v1/whoami").await.ok()
}

#[tokio::test]
async fn a_person_learns_what_is_known_of_them() {
    let service = service().await;
    let mut al = said("corp", "al-1", &["oncall", "dbas"]);
    al.mail = Some("al@corp.test".to_owned());
    let tokens = session(&service, &al).await;
    let who = asked(&service, &tokens.access).await;
    assert_eq!(who["name"], "corp:al-1");
    assert_eq!((&who["shown_name"], &who["mail"]), (&json!("AL-1"), &json!("al@corp.test")));
    assert_eq!((&who["provider"], &who["may_approve"]), (&json!("corp"), &json!(true)));
    let groups =
        json!({ "state": "known", "names": ["oncall", "dbas"], "since": "2026-11-22T02:13:00Z" });
    assert_eq!(who["groups"], groups);
    assert_eq!(who["session"]["id"], tokens.session.id);
    assert_eq!(who["session"]["current"], true);
    assert_eq!(who.get("factor"), None);

    // Too long ago, they count for nothing, and are still told.
    service.advance(601);
    let tokens = session(&service, &said("partner", "bo-2", &[])).await;
    let who = asked(&service, &tokens.access).await;
    assert_eq!((&who["groups"]["state"], &who["may_approve"]), (&json!("none"), &json!(false)));
    service.advance(599);
    assert_eq!(asked(&service, &tokens.access).await["groups"]["state"], "none");
    let mut unknown = said("corp", "cy-3", &[]);
    unknown.groups = SaidGroups::Unknown("the provider has too many".to_owned());
    let tokens = session(&service, &unknown).await;
    let who = asked(&service, &tokens.access).await;
    assert_eq!(who["groups"]["state"], "unknown");
    assert_eq!(who["groups"]["reason"], "the provider has too many");
}

#[tokio::test]
async fn groups_that_were_said_too_long_ago_are_not_known() {
    let service = service().await;
    let tokens = session(&service, &said("corp", "al-1", &["oncall"])).await;
    service.advance(500);
    let next = breakglass_testing::sessions::refreshed(&service, &tokens.refresh).await.unwrap();
    service.advance(101);
    let who = asked(&service, &next.access).await;
    assert_eq!(who["groups"]["state"], "unknown");
    assert_eq!(who["groups"]["names"], json!(["oncall"]));
    assert!(who["groups"]["reason"].as_str().unwrap().contains("max_directory_age"));
}

#[tokio::test]
async fn a_person_with_an_api_token_has_no_session() {
    let service = Service::start().await;
    let who = asked(&service, "alice").await;
    assert_eq!(who["groups"], json!({ "state": "known", "names": ["oncall", "loners"] }));
    for member in ["session", "provider", "factor", "mail"] {
        assert_eq!(who.get(member), None, "{member}");
    }
    assert_eq!(asked(&service, "erin").await["groups"]["state"], "none");
    assert_eq!(service.get("envoy", "/v1/whoami").await.refusal(), (403, "people_only"));
}

#[tokio::test]
async fn the_level_of_the_session_is_told() {
    let service = service().await;
    let mut al = said("corp", "al-1", &[]);
    al.factor = Some(breakglass_server::store::FactorRow {
        level: "mfa".to_owned(),
        acr: None,
        amr: vec!["pwd".to_owned(), "otp".to_owned()],
        auth_time: breakglass_testing::service::START,
    });
    let tokens = session(&service, &al).await;
    let factor =
        json!({ "level": "mfa", "amr": ["pwd", "otp"], "auth_time": "2026-11-22T02:13:00Z" });
    assert_eq!(asked(&service, &tokens.access).await["factor"], factor);
}

#[tokio::test]
async fn the_browser_goes_to_the_providers_page_for_signing_out() {
    let provider = TestProvider::start();
    let service = with(&[("corp", &provider)]).await;
    let answer = get(&service, "/signin/corp/logout", None).await;
    assert_eq!(location(&answer), format!("{}/logout?client_id=breakglass", provider.issuer));
    assert_eq!(get(&service, "/signin/none/logout", None).await.status, 404);
    let plain = Service::start().await;
    let refused = get(&plain, "/signin/corp/logout", None).await;
    assert_eq!(refused.refusal(), (404, "sign_in_not_configured"));
    provider.fall_silent();
    let silent = with(&[("corp", &provider)]).await;
    let answer = get(&silent, "/signin/corp/logout", None).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.body.as_str().unwrap().contains("Not signed out"), "{answer:?}");
}

/// `PUT /v1/whoami/notify`.
async fn set(service: &Service, who: &str, body: serde_json::Value) -> Answer {
    let bearer = if who.starts_with(ACCESS_PREFIX) { who.to_owned() } else { token_of(who) };
    let request = Request::put("/v1/whoami/notify")
        .header("authorization", format!("Bearer {bearer}"))
        .header("content-type", "application/json");
    service.send(request.body(Body::from(body.to_string())).unwrap()).await
}

#[tokio::test]
async fn a_person_says_how_to_be_told_and_for_themselves_alone() {
    let directory = tempfile::tempdir().unwrap();
    let text = config(&directory)
        .replace("name = \"carol\"\n", "name = \"carol\"\nmail = \"carol@corp.test\"\n");
    let service = Service::start_with(directory, &text, START).await;
    let carol = json!({ "mail": true, "address": "carol@corp.test" });
    assert_eq!(asked(&service, "carol").await["notify"], carol);
    assert_eq!(asked(&service, "frank").await["notify"], json!({ "mail": true, "address": null }));
    let set_to = set(&service, "carol", json!({ "mail": false })).await.ok();
    assert_eq!(set_to, json!({ "mail": false, "address": "carol@corp.test" }));
    assert_eq!(asked(&service, "carol").await["notify"]["mail"], false);
    assert_eq!(asked(&service, "frank").await["notify"]["mail"], true);
    set(&service, "carol", json!({ "mail": true })).await.ok();
    assert_eq!(asked(&service, "carol").await["notify"], carol);
    for body in [json!({}), json!({ "mail": "no" }), json!({ "mail": true, "person": "frank" })] {
        assert_eq!(set(&service, "carol", body).await.refusal(), (400, "invalid_request"));
    }
    // It is no right: the trail has nothing of it.
    assert_eq!(service.get("grace", "/v1/audit/events").await.ok()["events"], json!([]));
}

/// The provider's address is the person's only if the provider has verified it, and if it can be one.
#[tokio::test]
async fn an_address_that_is_not_verified_or_is_none_is_not_known() {
    let service = service().await;
    let long = format!("{}@corp.test", "a".repeat(65));
    for (mail, verified, address) in [
        ("al@corp.test", true, json!("al@corp.test")),
        ("al@corp.test", false, json!(null)),
        ("a@b\r\nBcc: x@y", true, json!(null)),
        ("al@corp.test, x@corp.test", true, json!(null)),
        ("\"al\" <al@corp.test>", true, json!(null)),
        ("al", true, json!(null)),
        ("", true, json!(null)),
        (&long, true, json!(null)),
    ] {
        let mut al = said("corp", "al-1", &["oncall"]);
        (al.mail, al.mail_verified) = (Some(mail.to_owned()), verified);
        let tokens = session(&service, &al).await;
        let notify = &asked(&service, &tokens.access).await["notify"];
        assert_eq!(notify["address"], address, "{mail:?} {verified}");
        service.advance(60);
    }
    assert_eq!(set(&service, "alice", json!({ "mail": false })).await.status, 200);
}
