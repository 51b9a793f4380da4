//! Codes and sessions in the database: used once, in one order, and over when their time is over.

use std::collections::BTreeSet;

use breakglass_api::trail::ServiceAction;
use breakglass_server::domain::sessions::{
    Exchange, SignInRefused, SignedIn, TokenRefused, begin, end, end_by_token, refresh,
};
use breakglass_server::store::{Session, SessionFilter, SessionState};
use breakglass_testing::service::{START, Service};
use breakglass_testing::sessions::{
    CLIENT, begun, code, config_with_providers, exchange, refreshed, said, service, session,
};
use futures_util::future::join_all;

const ALICE: &str = "corp:al-1";

fn alice() -> SignedIn {
    said("corp", "al-1", &["oncall"])
}

async fn only_session(service: &Service) -> Session {
    let sessions = service.app.store().sessions(SessionFilter::default(), 10).await.unwrap();
    let [session] = <[Session; 1]>::try_from(sessions).unwrap();
    session
}

/// What the trail of the service says of sessions.
async fn acts(service: &Service) -> Vec<(String, String, Option<String>)> {
    let words = [ServiceAction::SignedIn, ServiceAction::SessionBegan, ServiceAction::SessionEnded];
    let words = words.map(ServiceAction::word);
    let acts = service.app.store().acts(0, 1000).await.unwrap();
    acts.into_iter()
        .filter(|act| words.contains(&act.action.as_str()))
        .map(|act| (act.actor, act.action, act.detail["reason"].as_str().map(str::to_owned)))
        .collect()
}

fn is_ended(answer: &Result<impl Sized, TokenRefused>) -> bool {
    matches!(answer, Err(TokenRefused::Ended { .. }))
}

fn is_reused(answer: &Result<impl Sized, TokenRefused>) -> bool {
    matches!(answer, Err(TokenRefused::Reused { .. }))
}

#[tokio::test]
async fn a_session_begins_goes_on_and_ends_on_the_trail() {
    let service = service().await;
    let first = session(&service, &alice()).await;
    assert_eq!(first.expires_in, 600);
    let second = refreshed(&service, &first.refresh).await.unwrap();
    service.advance(60);
    let third = refreshed(&service, &second.refresh).await.unwrap();
    for token in [&second.access, &third.access] {
        service.get(token, "/v1/scopes").await.ok();
    }
    // The two that were given last count.
    let old = service.get(&first.access, "/v1/scopes").await;
    assert_eq!(old.refusal(), (401, "session_ended"));

    let who = service.app.config().person(ALICE).unwrap();
    let id = third.session.id.clone();
    let ended = end(&service.app, &who, service.app.now(), &id, None).await.unwrap();
    assert_eq!(ended.ended_by.as_deref(), Some(ALICE));
    assert_eq!(service.get(&third.access, "/v1/scopes").await.refusal(), (401, "session_ended"));
    assert!(is_ended(&refreshed(&service, &third.refresh).await));
    // A second time is no second end.
    end(&service.app, &who, service.app.now(), &id, None).await.unwrap();
    let (actor, ended) = (ALICE.to_owned(), Some("signed_out".to_owned()));
    let expected = [("signed_in", None), ("session_began", None), ("session_ended", ended)];
    let expected = expected.map(|(action, reason)| (actor.clone(), action.to_owned(), reason));
    assert_eq!(acts(&service).await, expected);
}

#[tokio::test]
async fn a_code_counts_once_for_its_client_and_for_a_minute() {
    let service = service().await;
    let now = || service.app.now();
    let code_1 = code(&service, &alice()).await.unwrap();
    let sent = exchange(&code_1);
    for (wrong, what) in [
        (Exchange { client: "other", ..sent }, "client_id"),
        (Exchange { redirect_uri: "http://127.0.0.1:1/callback", ..sent }, "redirect_uri"),
        (Exchange { verifier: "x", ..sent }, "code_verifier"),
    ] {
        let answer = begin(&service.app, now(), &wrong).await;
        assert!(matches!(answer, Err(TokenRefused::NotBound(field)) if field == what), "{what}");
    }
    let answer = begun(&service, "breakglass_ac_made-up").await;
    assert!(matches!(answer, Err(TokenRefused::Unknown(_))));
    let tokens = begun(&service, &code_1).await.unwrap();
    // A second use ends what the first one began, also long after the code's own time.
    service.advance(3000);
    assert!(is_reused(&begun(&service, &code_1).await));
    assert!(is_ended(&refreshed(&service, &tokens.refresh).await));
    let last = acts(&service).await.pop().unwrap();
    assert_eq!((last.0.as_str(), last.2.as_deref()), ("service", Some("code_reused")));

    let code_2 = code(&service, &alice()).await.unwrap();
    service.advance(60);
    assert!(matches!(begun(&service, &code_2).await, Err(TokenRefused::CodeExpired)));
}

#[tokio::test]
async fn of_many_exchanges_of_one_code_at_once_none_is_left_with_a_session() {
    let service = service().await;
    let code = code(&service, &alice()).await.unwrap();
    let answers = join_all((0..50).map(|_| begun(&service, &code))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert_eq!(only_session(&service).await.state(service.app.now()), SessionState::Ended);
    for tokens in answers.into_iter().flatten() {
        assert_eq!(service.get(&tokens.access, "/v1/scopes").await.status, 401);
    }
    assert_eq!(acts(&service).await.len(), 3, "it ended once");
}

#[tokio::test]
async fn of_many_refreshes_of_one_token_at_once_one_successor_is_left() {
    let service = service().await;
    let first = session(&service, &alice()).await;
    let answers = join_all((0..50).map(|_| refreshed(&service, &first.refresh))).await;
    let tokens: BTreeSet<String> =
        answers.into_iter().map(|answer| answer.unwrap().refresh).collect();
    assert_eq!(tokens.len(), 50);
    let kept = only_session(&service).await;
    let now = service.app.now();
    let is_current = |text: &&String| {
        let sha256 = breakglass_server::session_token::sha256(text);
        kept.presented(&sha256, now) == breakglass_server::store::Presented::Current
    };
    let current: Vec<&String> = tokens.iter().filter(is_current).collect();
    assert_eq!(current.len(), 1);
    let next = refreshed(&service, current[0]).await.unwrap();
    // One of the others is held by a second client, or was taken from the first one.
    let void = tokens.iter().find(|text| *text != current[0]).unwrap();
    assert!(is_reused(&refreshed(&service, void).await));
    assert!(is_ended(&refreshed(&service, &next.refresh).await));
}

#[tokio::test]
async fn a_lost_answer_is_given_again_for_30_seconds_while_its_token_is_not_used() {
    let service = service().await;
    let first = session(&service, &alice()).await;
    let lost = refreshed(&service, &first.refresh).await.unwrap();
    service.advance(20);
    let again = refreshed(&service, &first.refresh).await.unwrap();
    service.advance(10);
    // The time is counted from the first use, and the last answer counts.
    let last = refreshed(&service, &first.refresh).await.unwrap();
    for void in [lost, again] {
        assert_ne!(void.refresh, last.refresh);
    }
    let next = refreshed(&service, &last.refresh).await.unwrap();
    assert!(is_reused(&refreshed(&service, &first.refresh).await), "its successor was used");
    assert!(is_ended(&refreshed(&service, &next.refresh).await));
    assert_eq!(service.get(&next.access, "/v1/scopes").await.status, 401);
    let last = acts(&service).await.pop().unwrap();
    assert_eq!((last.0.as_str(), last.2.as_deref()), ("service", Some("refresh_token_reused")));
}

/// Of two requests at once the one that asked for the time first can have its turn second.
#[tokio::test]
async fn a_refresh_of_a_moment_before_is_no_reuse() {
    let service = service().await;
    let first = session(&service, &alice()).await;
    let before = service.app.now();
    service.advance(1);
    refreshed(&service, &first.refresh).await.unwrap();
    let again = refresh(&service.app, before, &first.refresh, CLIENT, None).await.unwrap();
    refreshed(&service, &again.refresh).await.unwrap();
}

#[tokio::test]
async fn after_30_seconds_a_used_token_ends_the_session() {
    let service = service().await;
    let first = session(&service, &alice()).await;
    refreshed(&service, &first.refresh).await.unwrap();
    service.advance(31);
    assert!(is_reused(&refreshed(&service, &first.refresh).await));
    assert_eq!(only_session(&service).await.state(service.app.now()), SessionState::Ended);
}

/// Whoever of the two comes first with a token that became void.
#[tokio::test]
async fn a_stolen_token_that_gets_the_grace_ends_the_session_all_the_same() {
    let service = service().await;
    let first = session(&service, &alice()).await;
    let of_thief = refreshed(&service, &first.refresh).await.unwrap();
    let of_client = refreshed(&service, &first.refresh).await.unwrap();
    assert!(is_reused(&refreshed(&service, &of_thief.refresh).await));
    assert!(is_ended(&refreshed(&service, &of_client.refresh).await));
}

#[tokio::test]
async fn a_session_is_over_after_an_hour_of_rest_and_after_12_hours() {
    let service = service().await;
    let idle = session(&service, &alice()).await;
    let mut used = session(&service, &said("corp", "bo-2", &[])).await;
    service.advance(3599);
    used = refreshed(&service, &used.refresh).await.unwrap();
    service.advance(1);
    assert!(is_ended(&refreshed(&service, &idle.refresh).await));
    for _ in 0..11 {
        service.advance(3590);
        used = refreshed(&service, &used.refresh).await.unwrap();
    }
    let left = used.session.ends_at - service.app.now().seconds();
    assert!(left < 600);
    assert_eq!(used.expires_in, left, "no access token is longer than the session");
    service.advance(left);
    assert_eq!(service.get(&used.access, "/v1/scopes").await.status, 401);
    assert!(is_ended(&refreshed(&service, &used.refresh).await));
}

#[tokio::test]
async fn sessions_outlive_a_restart_and_nothing_that_is_presented_is_in_the_file() {
    let service = service().await;
    let tokens = session(&service, &alice()).await;
    let unused = code(&service, &alice()).await.unwrap();
    let text = config_with_providers(&service.directory, "");
    let Service { app, directory, .. } = service;
    app.store().close().await;
    let mut bytes = Vec::new();
    for file in std::fs::read_dir(directory.path()).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            bytes.extend(std::fs::read(path).unwrap());
        }
    }
    assert!(bytes.windows(ALICE.len()).any(|window| window == ALICE.as_bytes()));
    for secret in [&tokens.access, &tokens.refresh, &unused] {
        // Without the prefix.
        let secret = &secret.as_bytes()[14..];
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
    }
    let service = Service::start_with(directory, &text, START + 10).await;
    service.get(&tokens.access, "/v1/scopes").await.ok();
    refreshed(&service, &tokens.refresh).await.unwrap();
}

#[tokio::test]
async fn to_have_a_token_is_the_right_to_end_its_session() {
    let service = service().await;
    let (by_access, by_refresh) =
        (session(&service, &alice()).await, session(&service, &alice()).await);
    let next = refreshed(&service, &by_refresh.refresh).await.unwrap();
    let who = service.app.config().person("erin").unwrap();
    for token in [&by_access.access, &by_refresh.refresh] {
        let ended =
            end_by_token(&service.app, Some(&who), service.app.now(), token, None).await.unwrap();
        assert_eq!(ended.unwrap().end_reason.as_deref(), Some("revoked_by_token"));
    }
    for tokens in [by_access, next] {
        assert!(is_ended(&refreshed(&service, &tokens.refresh).await));
    }
    let unknown =
        end_by_token(&service.app, Some(&who), service.app.now(), "breakglass_at_x", None);
    assert!(unknown.await.unwrap().is_none());
}

#[tokio::test]
async fn what_is_over_goes_and_stays_listed_for_30_days() {
    let service = service().await;
    let code = code(&service, &alice()).await.unwrap();
    begun(&service, &code).await.unwrap();
    let sweep = || async { service.app.store().sweep_sessions(service.app.now()).await.unwrap() };
    let count = |table: &'static str| {
        let database = service.database();
        async move {
            let query = match table {
                "codes" => "SELECT count(*) FROM authorization_codes",
                _ => "SELECT count(*) FROM sessions",
            };
            sqlx::query_scalar::<_, i64>(query).fetch_one(&database.await).await.unwrap()
        }
    };
    service.advance(12 * 3600);
    assert!(!sweep().await);
    assert_eq!((count("codes").await, count("sessions").await), (1, 1));
    service.advance(60);
    sweep().await;
    assert_eq!((count("codes").await, count("sessions").await), (0, 1));
    service.advance(30 * 86_400 - 61);
    sweep().await;
    assert_eq!(count("sessions").await, 1);
    service.advance(1);
    sweep().await;
    assert_eq!(count("sessions").await, 0);
    assert_eq!(acts(&service).await.len(), 2, "the trail stays");
}

#[tokio::test]
async fn an_account_is_one_person_for_good() {
    let service = service().await;
    session(&service, &alice()).await;
    let mut renamed = alice();
    renamed.provider = "old".to_owned();
    let mut other_issuer = alice();
    other_issuer.issuer = "https://other.test".to_owned();
    for other in [renamed, other_issuer] {
        let answer = code(&service, &other).await;
        assert!(matches!(answer, Err(SignInRefused::OtherAccount { .. })), "{answer:?}");
    }
    let database = service.database().await;
    for statement in [
        "UPDATE accounts SET subject = 'x'",
        "UPDATE accounts SET name = 'x'",
        "DELETE FROM accounts",
        "UPDATE authorization_codes SET session = NULL",
    ] {
        assert!(sqlx::query(statement).execute(&database).await.is_err(), "{statement}");
    }
    for (subject, taken) in [("a\u{200b}b", false), ("", false), ("x\ny", false)] {
        let answer = code(&service, &said("corp", subject, &[])).await;
        let is_name = matches!(answer, Err(SignInRefused::Name { .. }));
        assert!(is_name || (!taken && subject.is_empty()), "{subject:?}: {answer:?}");
    }
}
