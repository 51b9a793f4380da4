//! How many sessions an account has, and how often it signs in: a client in a loop fills neither memory nor disk.

use breakglass_server::domain::sessions::{SignInRefused, SignedIn};
use breakglass_server::limits::{MAX_SESSIONS, SIGN_INS_PER_ACCOUNT};
use breakglass_testing::provider::TestProvider;
use breakglass_testing::service::Service;
use breakglass_testing::sessions::{begun, code, refreshed, said, service, session};
use serde_json::{Value, json};

use crate::judged::acts;
use crate::session_routes::{answered, sign_in, with};

fn claims(service: &Service, subject: &str) -> Value {
    let now = service.app.now().seconds();
    json!({ "sub": subject, "groups": ["oncall"], "iat": now, "exp": now + 300 })
}

/// All rows that the main database has, but for those of the clock.
async fn rows(service: &Service) -> i64 {
    let statement = "SELECT (SELECT count(*) FROM service_trail) + (SELECT count(*) FROM events)
        + (SELECT count(*) FROM accounts) + (SELECT count(*) FROM sessions)
        + (SELECT count(*) FROM authorization_codes)";
    let count: (i64,) =
        sqlx::query_as(statement).fetch_one(&service.database().await).await.unwrap();
    count.0
}

#[tokio::test]
async fn a_sign_in_beyond_the_most_sessions_ends_the_oldest() {
    let service = service().await;
    let most = usize::try_from(MAX_SESSIONS).unwrap();
    // One that is over by itself is none of them.
    let idle = session(&service, &said("corp", "al-1", &["oncall"])).await;
    service.advance(3601);
    let other = session(&service, &said("corp", "bo-2", &["oncall"])).await;
    let mut tokens = Vec::new();
    for _ in 0..most {
        tokens.push(session(&service, &said("corp", "al-1", &["oncall"])).await);
        service.step_ms(2);
    }
    assert_eq!(acts(&service, "session_ended").await, Vec::<Value>::new());
    let newest = session(&service, &said("corp", "al-1", &["oncall"])).await;
    let [first, rest @ ..] = &tokens[..] else { panic!() };
    let refused = service.get(&first.access, "/v1/scopes").await;
    assert_eq!(refused.refusal(), (401, "session_ended"));
    for live in rest.iter().map(|one| &one.access).chain([&newest.access, &other.access]) {
        service.get(live, "/v1/scopes").await.ok();
    }
    let ended = acts(&service, "session_ended").await;
    assert_eq!(ended.len(), 1, "{ended:?}");
    assert_eq!(
        (&ended[0]["session"], &ended[0]["account"], &ended[0]["reason"]),
        (&json!(first.session.id), &json!("corp:al-1"), &json!("too_many_sessions"))
    );
    let row = service.app.store().session(&first.session.id).await.unwrap().unwrap();
    assert_eq!(row.ended_by.as_deref(), Some("service"));
    let idle = service.app.store().session(&idle.session.id).await.unwrap().unwrap();
    assert_eq!(idle.ended_at, None);
}

#[tokio::test]
async fn an_account_that_signs_in_again_and_again_is_refused_and_leaves_nothing_more() {
    let provider = TestProvider::start();
    let service = with(&[("corp", &provider)]).await;
    let mut who = said("corp", "al-1", &["oncall"]);
    who.issuer.clone_from(&provider.issuer);
    let first = code(&service, &who).await.unwrap();
    let tokens = begun(&service, &first).await.unwrap();
    for _ in 1..SIGN_INS_PER_ACCOUNT {
        code(&service, &who).await.unwrap();
    }
    let before = rows(&service).await;
    let other_groups = SignedIn { groups: said("corp", "", &[]).groups, ..who };
    // However the provider answers, and also with other groups.
    let refused = code(&service, &other_groups).await.unwrap_err();
    assert!(matches!(refused, SignInRefused::TooOften { after_s: 3600 }), "{refused:?}");
    service.advance(600);
    let answer = sign_in(&service, &provider, claims(&service, "al-1")).await;
    let (error, description) = answered(&answer).unwrap_err();
    assert_eq!(error, "temporarily_unavailable");
    assert!(description.contains("60 times within an hour"), "{description}");
    assert!(description.ends_with("try again in 50m"), "{description}");
    assert_eq!(rows(&service).await, before);
    // What the account has goes on, and so do others.
    refreshed(&service, &tokens.refresh).await.unwrap();
    let other = sign_in(&service, &provider, claims(&service, "bo-2")).await;
    answered(&other).unwrap();
    service.advance(3000);
    let answer = sign_in(&service, &provider, claims(&service, "al-1")).await;
    answered(&answer).unwrap();
}
