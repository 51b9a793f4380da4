//! `POST /oauth2/revoke` by a public client (RFC 7009): to have a token of a session is the right to end it.

use axum::body::Body;
use axum::http::Request;
use breakglass_server::random::Randomness;
use breakglass_server::session_token::RefreshToken;
use breakglass_testing::provider::TestProvider;
use breakglass_testing::service::{Answer, Service};

use crate::session_routes::{answered, claims, exchange, refresh, sign_in, text, with};

/// `POST /oauth2/revoke` without a credential.
async fn revoke(service: &Service, form: &str) -> Answer {
    let request = Request::post("/oauth2/revoke")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(form.to_owned()));
    service.send(request.unwrap()).await
}

#[tokio::test]
async fn a_client_without_a_credential_ends_its_own_session_and_nothing_else() {
    let provider = TestProvider::start();
    let service = with(&[("corp", &provider)]).await;
    let trail = async || {
        let rows: Vec<(String,)> = sqlx::query_as("SELECT action FROM service_trail ORDER BY seq")
            .fetch_all(&service.database().await)
            .await
            .unwrap();
        rows
    };
    let answer = sign_in(&service, &provider, claims("al-1", &[])).await;
    let first = exchange(&service, &answered(&answer).unwrap()).await.ok();
    let old = text(&first, "refresh_token");
    let tokens = refresh(&service, &old).await.ok();
    let before = trail().await;
    let made_up = RefreshToken::first(&Randomness::from_seed(7)).text();
    for (form, status) in [
        // Without a name of the client, or with another one, it is a caller without a credential.
        (format!("token={old}"), 401),
        (format!("token={old}&client_id=other"), 401),
        (format!("token={old}&client_id="), 401),
        // A grant is a person's to revoke.
        ("token=e30.e30.AA&client_id=breakglass-cli".to_owned(), 401),
        ("client_id=breakglass-cli".to_owned(), 400),
        (format!("token={old}&token={old}&client_id=breakglass-cli"), 400),
        // Of these there is no session.
        ("token=x&client_id=breakglass-cli".to_owned(), 200),
        (format!("token={made_up}&client_id=breakglass-cli"), 200),
        ("token=breakglass_rt_&client_id=breakglass-cli".to_owned(), 200),
        (
            "token=breakglass_at_x&client_id=breakglass-cli&token_type_hint=refresh_token"
                .to_owned(),
            200,
        ),
    ] {
        let answer = revoke(&service, &form).await;
        assert_eq!(answer.status.as_u16(), status, "{form}: {answer:?}");
    }
    // A credential that is there counts, with `client_id` too.
    let form = format!("token={old}&client_id=breakglass-cli");
    for (who, status) in [("nobody", 401), ("envoy", 403)] {
        assert_eq!(
            service.form(who, "/oauth2/revoke", &form).await.status.as_u16(),
            status,
            "{who}"
        );
    }
    let access = text(&tokens, "access_token");
    service.get(&access, "/v1/scopes").await.ok();
    assert_eq!(trail().await, before, "strangers leave nothing");
    // Long after its access token is over, and by a token that was used before.
    service.advance(1800);
    revoke(&service, &form).await.ok();
    let refused = refresh(&service, &text(&tokens, "refresh_token")).await;
    assert_eq!(refused.body["error"], "invalid_grant");
    let session = service.app.store().session(tokens["session"].as_str().unwrap()).await.unwrap();
    let session = session.unwrap();
    assert_eq!(session.ended_by.as_deref(), Some("corp:al-1"));
    assert_eq!(session.end_reason.as_deref(), Some("revoked_by_token"));
    let after = trail().await.len();
    revoke(&service, &form).await.ok();
    assert_eq!(trail().await.len(), after, "it is over already");
}
