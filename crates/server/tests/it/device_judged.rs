//! A device sign-in and people's groups: it is judged by an answer of the provider that counts when the tokens are taken, and
//! its session can be asked about again as every other.

use breakglass_testing::provider::TestProvider;
use serde_json::json;

use crate::device_routes::{claims, codes, poll, sign_in, with, word};
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

#[tokio::test]
async fn an_answer_that_is_too_old_gives_a_device_nothing() {
    let provider = TestProvider::start();
    let service = with(&[("corp", &provider)], AGE).await;
    let late = codes(&service, &[]).await;
    sign_in(&service, &late, ("corp", &provider), claims("al-1", &["oncall"])).await;
    service.advance(61);
    let answer = poll(&service, &late).await;
    assert_eq!(word(&answer), "access_denied");
    assert!(text(&answer.body, "error_description").contains("not known"), "{answer:?}");
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
