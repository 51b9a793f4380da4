//! A device sign-in and people's groups: it is judged by an answer of the provider that counts when the tokens are taken, and
//! its session can be asked about again as every other.

use breakglass_testing::provider::{Refreshing, TestProvider};
use serde_json::json;

use crate::device_routes::{claims, codes, poll, reconfigure, sign_in, with, word};
use crate::judged::says;
use crate::session_routes::{answered, exchange, text};

/// How old an answer may become here.
const AGE: &str = "max_directory_age = \"1m\"";

#[tokio::test]
async fn the_provider_is_asked_again_by_the_session_that_a_device_began() {
    let provider = TestProvider::start();
    let service = with(&[("corp", &provider)], AGE).await;
    says(&service, &provider, "al-1", &["oncall"]);
    let codes = codes(&service, &[]).await;
    sign_in(&service, &codes, ("corp", &provider), claims("al-1", &["oncall"])).await;
    let kept = "SELECT count(*) FROM authorization_codes WHERE provider_session IS NOT NULL";
    let (sealed,): (i64,) =
        sqlx::query_as(kept).fetch_one(&service.database().await).await.unwrap();
    assert_eq!(sealed, 1);
    let access = text(&poll(&service, &codes).await.ok(), "access_token");
    service.advance(61);
    says(&service, &provider, "al-1", &["oncall"]);
    let body = json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m" });
    service.post(&access, "/v1/requests", body).await.ok();
    assert_eq!(provider.refreshes(), ["al-1"]);
    let (sealed,): (i64,) =
        sqlx::query_as(kept).fetch_one(&service.database().await).await.unwrap();
    assert_eq!(sealed, 0, "it is the session's");
}

/// Before the first session there is none by which the provider could be asked again.
#[tokio::test]
async fn what_the_provider_said_at_the_sign_in_counts_until_the_code_is_over() {
    for (within, is_let_in) in [(299, true), (300, false)] {
        let provider = TestProvider::start();
        let service = with(&[("corp", &provider)], AGE).await;
        let codes = codes(&service, &[]).await;
        sign_in(&service, &codes, ("corp", &provider), claims("al-1", &["oncall"])).await;
        service.advance(within);
        let answer = poll(&service, &codes).await;
        match is_let_in {
            false => assert_eq!(word(&answer), "expired_token"),
            // It has begun a session, and no more: the answer is too old to ask for access by.
            true => {
                let access = text(&answer.ok(), "access_token");
                let body = json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m" });
                let asked = service.post(&access, "/v1/requests", body).await;
                assert_eq!(asked.refusal(), (503, "membership_unknown"));
            }
        }
    }
}

/// Where the provider could be asked and did not say the groups, they are not known, whatever it said at the sign-in.
#[tokio::test]
async fn an_answer_without_groups_gives_a_device_nothing() {
    for answer in ["invalid_grant", "invalid_client"] {
        let provider = TestProvider::start();
        let service = with(&[("corp", &provider)], AGE).await;
        says(&service, &provider, "al-1", &["oncall"]);
        let codes = codes(&service, &[]).await;
        sign_in(&service, &codes, ("corp", &provider), claims("al-1", &["oncall"])).await;
        let said = claims("al-1", &["oncall"]);
        let by_browser = crate::session_routes::sign_in(&service, &provider, said).await;
        exchange(&service, &answered(&by_browser).unwrap()).await.ok();
        service.advance(61);
        provider.refreshes_to("al-1", Refreshing::Error(answer));
        let refused = poll(&service, &codes).await;
        assert_eq!(word(&refused), "access_denied", "{answer}");
        assert!(text(&refused.body, "error_description").contains("not known"), "{refused:?}");
    }
}

/// A person can become an approver while a session lasts that an attacker may have begun by a code.
#[tokio::test]
async fn a_session_that_a_device_began_approves_nothing() {
    let provider = TestProvider::start();
    let service = with(&[("corp", &provider)], "").await;
    let codes = codes(&service, &[]).await;
    sign_in(&service, &codes, ("corp", &provider), claims("ca-3", &[])).await;
    let by_device = text(&poll(&service, &codes).await.ok(), "access_token");
    let id = service.pending().await;
    let answer = service.act(&by_device, &id, "approve").await;
    assert_eq!(answer.refusal(), (403, "not_an_approver"));
    // From now on she is one.
    let said = claims("ca-3", &["commanders"]);
    let by_browser = crate::session_routes::sign_in(&service, &provider, said).await;
    let by_browser = exchange(&service, &answered(&by_browser).unwrap()).await.ok();
    let answer = service.act(&by_device, &id, "approve").await;
    assert_eq!(answer.refusal(), (403, "not_an_approver"));
    assert!(answer.body["detail"].as_str().unwrap().contains("`breakglass login`"), "{answer:?}");
    // To end something it is good.
    let other = service.pending().await;
    service.act(&by_device, &other, "deny").await.ok();
    service.act(&text(&by_browser, "access_token"), &id, "approve").await.ok();
    // Where the configuration has approvers sign in so, it approves.
    let id = service.pending().await;
    reconfigure(&service, &[("corp", &provider)], "device_sign_in = \"everyone\"");
    service.act(&by_device, &id, "approve").await.ok();
}

#[tokio::test]
async fn the_provider_is_asked_before_a_device_gets_its_tokens() {
    for (now_in, is_let_in) in [("oncall", true), ("commanders", false)] {
        let provider = TestProvider::start();
        let service = with(&[("corp", &provider)], AGE).await;
        says(&service, &provider, "al-1", &["oncall"]);
        let codes = codes(&service, &[]).await;
        sign_in(&service, &codes, ("corp", &provider), claims("al-1", &["oncall"])).await;
        // By this session the provider can be asked.
        let said = claims("al-1", &["oncall"]);
        let answer = crate::session_routes::sign_in(&service, &provider, said).await;
        exchange(&service, &answered(&answer).unwrap()).await.ok();
        service.advance(61);
        says(&service, &provider, "al-1", &[now_in]);
        let answer = poll(&service, &codes).await;
        assert_eq!(provider.refreshes(), ["al-1"], "{now_in}: {answer:?}");
        match is_let_in {
            true => drop(answer.ok()),
            false => assert_eq!(word(&answer), "access_denied", "{now_in}"),
        }
    }
}
