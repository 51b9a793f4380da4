//! What is wrong with a question is told: on a page, to the client by the browser, or as RFC 6749 has it.

use axum::body::Body;
use axum::http::Request;
use breakglass_testing::provider::{Away, TestProvider};
use breakglass_testing::service::Service;
use breakglass_testing::sessions::CLIENT;
use futures_util::FutureExt as _;
use futures_util::future::select_all;
use serde_json::json;

use crate::device_routes::{Client, claims};
use crate::session_routes::{
    answered, authorize, exchange, get, location, refresh, text, token, with,
};

#[tokio::test]
async fn a_wrong_client_or_redirect_is_a_page_and_leads_nowhere() {
    let provider = TestProvider::start();
    let service = with(&[("corp", &provider)]).await;
    let twice = format!("{}&state=x", authorize(&[]));
    for path in [
        authorize(&[("client_id", Some("other"))]),
        authorize(&[("client_id", None)]),
        authorize(&[("redirect_uri", Some("http://evil.test/callback"))]),
        authorize(&[("redirect_uri", Some("http://127.0.0.1:80@evil.test/callback"))]),
        authorize(&[("redirect_uri", None)]),
        authorize(&[("max_age", Some("soon"))]),
        twice,
    ] {
        let answer = get(&service, &path, None).await;
        assert_eq!(answer.status, 400, "{path}: {answer:?}");
        assert!(!answer.headers.contains_key("location"), "{answer:?}");
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert!(!answer.body.as_str().unwrap().contains("evil"), "{answer:?}");
    }
}

#[tokio::test]
async fn every_other_error_goes_to_the_client() {
    let provider = TestProvider::start();
    let service = with(&[("corp", &provider)]).await;
    for (change, error, what) in [
        (("response_type", Some("token")), "unsupported_response_type", "response_type"),
        (("code_challenge_method", Some("plain")), "invalid_request", "code_challenge_method"),
        (("code_challenge_method", None), "invalid_request", "code_challenge_method"),
        (("code_challenge", Some("short")), "invalid_request", "code_challenge"),
        (("provider", Some("other")), "invalid_request", "corp"),
        (("level", Some("gold")), "invalid_request", "mfa"),
        (("max_age", Some("5")), "invalid_request", "max_age"),
    ] {
        let answer = get(&service, &authorize(&[change]), None).await;
        let (found, description) = answered(&answer).unwrap_err();
        assert_eq!(found, error, "{change:?}");
        assert!(description.contains(what), "{change:?}: {description}");
    }
    // Without a state there is none to send back.
    let answer = get(&service, &authorize(&[("state", None)]), None).await;
    assert!(location(&answer).contains("error=invalid_request"), "{answer:?}");
    assert_eq!(provider.exchanges(), 0);
}

#[tokio::test]
async fn the_token_endpoint_says_what_is_wrong_as_the_rfc_has_it() {
    let provider = TestProvider::start();
    let service = with(&[("corp", &provider)]).await;
    for (form, error) in [
        (vec![], "invalid_client"),
        (vec![("client_id", "other")], "invalid_client"),
        (vec![("client_id", CLIENT)], "unsupported_grant_type"),
        (vec![("client_id", CLIENT), ("grant_type", "password")], "unsupported_grant_type"),
        (vec![("client_id", CLIENT), ("grant_type", "authorization_code")], "invalid_request"),
        (vec![("client_id", CLIENT), ("grant_type", "refresh_token")], "invalid_request"),
        (vec![("client_id", CLIENT), ("client_id", CLIENT)], "invalid_request"),
    ] {
        let answer = token(&service, &form).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["error"]),
            (400, &json!(error)),
            "{form:?}"
        );
    }
    for answer in
        [exchange(&service, "breakglass_ac_x").await, refresh(&service, "breakglass_rt_x").await]
    {
        assert_eq!(answer.body["error"], "invalid_grant");
        assert!(text(&answer.body, "error_description").contains("breakglass login"), "{answer:?}");
    }
    let metadata = service.get("nobody", "/.well-known/oauth-authorization-server").await.ok();
    assert_eq!(metadata["authorization_endpoint"], "https://approvals.test/oauth2/authorize");
}

#[tokio::test]
async fn without_a_provider_there_is_none_of_it() {
    let service = Service::start().await;
    for path in [
        &authorize(&[]),
        "/signin/corp/callback?state=x",
        "/.well-known/oauth-authorization-server",
    ] {
        let answer = get(&service, path, None).await;
        assert_eq!(answer.refusal(), (404, "sign_in_not_configured"), "{path}");
    }
    let request = Request::post("/oauth2/token").body(Body::empty()).unwrap();
    assert_eq!(service.send(request).await.refusal(), (404, "sign_in_not_configured"));
}

#[tokio::test]
async fn what_a_stranger_makes_up_asks_the_provider_no_more_often_than_it_may() {
    let provider = TestProvider::start();
    let service = with(&[("corp", &provider)]).await;
    let mut exchanged = 0;
    for number in 0..121 {
        let mut attacker = Client::new(&service, "203.0.113.1");
        let begun = attacker.get(&authorize(&[])).await;
        let back = provider.sign_in(location(&begun), claims(&format!("al-{number}"), &[]));
        let answer = answered(&attacker.get(&back).await);
        exchanged += usize::from(answer.is_ok());
        assert_eq!(answer.is_ok(), number < 120, "{number}: {answer:?}");
    }
    assert_eq!((exchanged, provider.exchanges()), (120, 120));
    let mut person = Client::new(&service, "198.51.100.9");
    let begun = person.get(&authorize(&[])).await;
    let back = provider.sign_in(location(&begun), claims("al-1", &[]));
    answered(&person.get(&back).await).unwrap();
}

#[tokio::test]
async fn a_silent_provider_keeps_no_person_from_another_one() {
    let (corp, partner) = (TestProvider::start(), TestProvider::start());
    let service = with(&[("corp", &corp), ("partner", &partner)]).await;
    let at = |name: &'static str| authorize(&[("provider", Some(name))]);
    location(&get(&service, &at("partner"), None).await);
    corp.fall_silent();
    let (silent, other) = (at("corp"), at("partner"));
    let waiting = select_all((0..40).map(|_| get(&service, &silent, None).boxed_local()));
    let other = async {
        // The others have their turn first.
        tokio::task::yield_now().await;
        get(&service, &other, None).await
    };
    tokio::select! {
        biased;
        (answer, ..) = waiting => panic!("the silent one came first: {answer:?}"),
        answer = other => assert!(location(&answer).starts_with(&partner.issuer)),
    }
}

#[tokio::test]
async fn the_client_is_told_the_provider_s_own_word() {
    let provider = TestProvider::start();
    let service = with(&[("corp", &provider)]).await;
    for (said, told, what) in [
        ("access_denied", "access_denied", "declined"),
        ("authorization_declined", "authorization_declined", "declined"),
        ("login_required", "login_required", "not signed in there"),
        ("interaction_required", "interaction_required", "answer a question there"),
        ("consent_required", "consent_required", "answer a question there"),
        ("account_selection_required", "account_selection_required", "answer a question there"),
        ("unmet_authentication_requirements", "unmet_authentication_requirements", "level"),
        ("temporarily_unavailable", "temporarily_unavailable", "a fault of its own"),
        ("server_error", "server_error", "a fault of its own"),
        // What is wrong between the provider and this service is no word about the client or the person.
        ("invalid_request", "server_error", "invalid_request"),
        ("invalid_scope", "server_error", "invalid_scope"),
        ("unauthorized_client", "server_error", "unauthorized_client"),
        ("something_new", "access_denied", "something_new"),
        ("x%26error%3dserver_error", "access_denied", "server_error"),
    ] {
        let mut browser = Client::new(&service, "198.51.100.9");
        let begun = browser.get(&authorize(&[])).await;
        let back = browser.get(&provider.decline(location(&begun), said)).await;
        let (error, description) = answered(&back).unwrap_err();
        assert_eq!(error, told, "{said}: {description}");
        assert!(description.contains(what), "{said}: {description}");
    }
}

#[tokio::test]
async fn a_sign_in_says_at_once_that_the_provider_is_away() {
    let provider = TestProvider::start();
    let service = with(&[("corp", &provider)]).await;
    let begun = Client::new(&service, "198.51.100.9").get(&authorize(&[])).await;
    assert!(location(&begun).starts_with(&provider.issuer), "{begun:?}");
    for away in [Away::Silent, Away::Closes, Away::Status(503)] {
        provider.is(away);
        service.advance(10);
        for _ in 0..2 {
            let answer = Client::new(&service, "198.51.100.9").get(&authorize(&[])).await;
            let (error, description) = answered(&answer).unwrap_err();
            assert_eq!(error, "temporarily_unavailable");
            assert!(description.starts_with("corp: ") && description.contains(&provider.issuer));
        }
    }
    provider.is(Away::No);
    service.advance(10);
    let begun = Client::new(&service, "198.51.100.9").get(&authorize(&[])).await;
    assert!(location(&begun).starts_with(&provider.issuer), "{begun:?}");
}
