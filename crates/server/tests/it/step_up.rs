//! What scopes require of signing in: who gets which answer, and what the token and the trail say then.

use breakglass_server::config::Config;
use breakglass_server::store::FactorRow;
use breakglass_testing::service::{Answer, START, Service};
use breakglass_testing::sessions::{config_with_providers, refreshed, said, session};
use serde_json::{Value, json};

const LEVELS: &str = "\n[identity_providers.levels.mfa]\nacr_values = [\"mfa\"]\ncounts.amr = [\"otp\"]\n\
    [identity_providers.levels.pwd]\nacr_values = [\"pwd\"]\ncounts.amr = [\"pwd\"]\n";

/// The configuration of all tests with levels at `corp`, in which each of these scopes has this `sign_in`.
pub(crate) fn configuration(directory: &tempfile::TempDir, scopes: &[(&str, &str)]) -> String {
    let text = config_with_providers(directory, "");
    let mut text = text.replacen("may_approve = true", &format!("may_approve = true{LEVELS}"), 1);
    for (scope, sign_in) in scopes {
        let name = format!("name = \"{scope}\"\n");
        assert!(text.contains(&name), "{scope}");
        text = text.replacen(&name, &format!("{name}sign_in = {sign_in}\n"), 1);
    }
    text
}

pub(crate) async fn service(scopes: &[(&str, &str)]) -> Service {
    let directory = tempfile::tempdir().unwrap();
    let text = configuration(&directory, scopes);
    Service::start_with(directory, &text, START).await
}

pub(crate) fn factor(level: &str, auth_time: i64) -> FactorRow {
    let amr = vec!["pwd".to_owned(), "otp".to_owned()];
    FactorRow { level: level.to_owned(), acr: Some(format!("acr-{level}")), amr, auth_time }
}

/// A session of this person, who signed in like that.
async fn signed_in(service: &Service, who: &str, group: &str, factor: Option<FactorRow>) -> String {
    let mut said = said("corp", who, &[group]);
    said.factor = factor;
    session(service, &said).await.access
}

async fn ask(service: &Service, who: &str, scopes: &[&str]) -> Answer {
    let body = json!({ "scopes": scopes, "reason": "stuck", "duration": "30m" });
    service.post(who, "/v1/requests", body).await
}

fn id(answer: Answer) -> String {
    answer.ok()["id"].as_str().unwrap().to_owned()
}

/// How a caller is known.
const CALLERS: [&str; 8] = [
    "api token",
    "no level",
    "fresh",
    "oldest",
    "too old",
    "later than now",
    "other level",
    "over",
];

/// The answers to them where `mfa` is required, at most five minutes ago, and where nothing is.
const REQUIRED: [u16; 8] = [401, 401, 200, 200, 401, 401, 401, 401];
const FREE: [u16; 8] = [200, 200, 200, 200, 200, 200, 200, 401];

/// Who calls: `listed` by an API token, or `who` by a session.
async fn caller(service: &Service, caller: &str, listed: &str, who: &str, group: &str) -> String {
    let now = service.app.now().seconds();
    let factor = match caller {
        "api token" => return listed.to_owned(),
        "no level" => None,
        "fresh" => Some(factor("mfa", now)),
        "oldest" => Some(factor("mfa", now - 300)),
        "too old" => Some(factor("mfa", now - 301)),
        "later than now" => Some(factor("mfa", now + 1)),
        "other level" => Some(factor("pwd", now)),
        _ => {
            let access = signed_in(service, who, group, Some(factor("mfa", now + 600))).await;
            service.advance(600);
            return access;
        }
    };
    signed_in(service, who, group, factor).await
}

/// What this answer is: 200 for one that succeeded; every other one is a challenge, or of a session that is over.
fn outcome(answer: &Answer, name: &str) -> u16 {
    if answer.status.is_success() {
        return 200;
    }
    let expected =
        if name == "over" { "session_ended" } else { "insufficient_user_authentication" };
    let (status, reason) = answer.refusal();
    assert_eq!(reason, expected, "{name}: {answer:?}");
    status
}

#[tokio::test]
async fn asking_takes_the_sign_in_that_a_scope_requires() {
    let service =
        service(&[("orders:read", r#"{ request = { level = "mfa", max_age = "5m" } }"#)]).await;
    for (name, (required, free)) in CALLERS.iter().zip(REQUIRED.iter().zip(FREE)) {
        for (scope, expected) in [("orders:read", *required), ("orders:write", free)] {
            let who = caller(&service, name, "alice", "al-1", "oncall").await;
            let answer = ask(&service, &who, &[scope]).await;
            assert_eq!(outcome(&answer, name), expected, "{name} {scope}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn approving_takes_the_sign_in_that_a_scope_requires() {
    let service =
        service(&[("orders:read", r#"{ approval = { level = "mfa", max_age = "5m" } }"#)]).await;
    for (name, (required, free)) in CALLERS.iter().zip(REQUIRED.iter().zip(FREE)) {
        for (scope, expected) in [("orders:read", *required), ("orders:write", free)] {
            let who = caller(&service, name, "carol", "ca-3", "commanders").await;
            let request = service.pending_for(&[scope]).await;
            let answer = service.act(&who, &request, "approve").await;
            assert_eq!(outcome(&answer, name), expected, "{name} {scope}: {answer:?}");
            let view = service.get("alice", &format!("/v1/requests/{request}")).await.ok();
            assert_eq!(view["state"] == "approved", expected == 200, "{name}: {view}");
        }
    }
}

#[tokio::test]
async fn each_taking_of_a_token_takes_the_sign_in_that_a_scope_requires() {
    let service =
        service(&[("orders:read", r#"{ activation = { level = "mfa", max_age = "5m" } }"#)]).await;
    for first in [true, false] {
        for (name, (required, free)) in CALLERS.iter().zip(REQUIRED.iter().zip(FREE)) {
            for (scope, expected) in [("orders:read", *required), ("orders:write", free)] {
                let asks = caller(&service, "fresh", "alice", "al-1", "oncall").await;
                let (asks, who) = match *name {
                    // By an API token nothing is asked for that it could not be used for.
                    "api token" => ("alice".to_owned(), "alice".to_owned()),
                    name => (asks, caller(&service, name, "", "al-1", "oncall").await),
                };
                let answer = match *name {
                    "over" => service.get(&who, "/v1/scopes").await,
                    _ => {
                        let asked = ask(&service, &asks, &[scope]).await;
                        if asked.status.is_success() {
                            let request = id(asked);
                            service.act("carol", &request, "approve").await.ok();
                            if !first && asks != who {
                                service.act(&asks, &request, "token").await.ok();
                            }
                            service.act(&who, &request, "token").await
                        } else {
                            assert_eq!(who, "alice");
                            asked
                        }
                    }
                };
                assert_eq!(outcome(&answer, name), expected, "{name} {scope}: {answer:?}");
            }
        }
    }
}

#[tokio::test]
async fn the_challenge_names_the_level_and_the_age_that_are_missing() {
    let service = service(&[
        ("orders:read", r#"{ request = { level = "mfa", max_age = "5m" } }"#),
        ("orders:write", r#"{ request = { level = "mfa", max_age = "90s" } }"#),
        ("db:admin", r#"{ request = { level = "mfa" } }"#),
    ])
    .await;
    let old = factor("mfa", service.app.now().seconds() - 200);
    let plain = signed_in(&service, "al-1", "oncall", None).await;
    let old = signed_in(&service, "al-1", "oncall", Some(old)).await;
    for (who, scopes, max_age) in [
        (&plain, &["orders:read"][..], Some(300)),
        (&plain, &["orders:read", "orders:write", "db:admin"], Some(90)),
        (&plain, &["db:admin"], None),
        (&old, &["orders:read", "orders:write"], Some(90)),
    ] {
        let answer = ask(&service, who, scopes).await;
        assert_eq!(answer.refusal(), (401, "insufficient_user_authentication"));
        assert_eq!(answer.body["acr_values"], "mfa", "{answer:?}");
        assert_eq!(
            answer.body.get("max_age"),
            max_age.map(|one| json!(one)).as_ref(),
            "{answer:?}"
        );
        let detail = answer.body["detail"].as_str().unwrap().replace('`', "'");
        assert!(detail.contains("sign in"), "{detail}");
        let max_age = max_age.map(|one| format!(", max_age=\"{one}\"")).unwrap_or_default();
        assert_eq!(
            answer.headers["www-authenticate"].to_str().unwrap(),
            format!(
                "Bearer realm=\"breakglass\", error=\"insufficient_user_authentication\", \
                 error_description=\"{detail}\", acr_values=\"mfa\"{max_age}"
            )
        );
    }
    // What is met is not asked for again.
    for scopes in [&["orders:read"][..], &["db:admin"]] {
        ask(&service, &old, scopes).await.ok();
    }
    let attempts = crate::attempts::until(&service, |attempts| attempts.len() == 4).await;
    for attempt in attempts {
        assert_eq!(
            (&attempt["caller"], &attempt["status"], &attempt["reason"]),
            (&json!("corp:al-1"), &json!(401), &json!("insufficient_user_authentication"))
        );
    }
}

#[tokio::test]
async fn who_may_not_is_told_that_and_not_to_sign_in_again() {
    let level = r#"{ request = { level = "mfa" }, activation = { level = "mfa" }, approval = { level = "mfa" } }"#;
    let service = service(&[("orders:read", level)]).await;
    let other = signed_in(&service, "er-5", "nothing", None).await;
    assert_eq!(ask(&service, &other, &["orders:read"]).await.refusal(), (403, "not_a_requester"));
    let now = service.app.now().seconds();
    let alice = signed_in(&service, "al-1", "oncall", Some(factor("mfa", now))).await;
    let request = id(ask(&service, &alice, &["orders:read"]).await);
    assert_eq!(service.act(&other, &request, "approve").await.refusal(), (403, "not_an_approver"));
    assert_eq!(service.act(&other, &request, "token").await.refusal(), (403, "not_the_requester"));
    // An approver who is shown another request than it is reads it first.
    let carol = signed_in(&service, "ca-3", "commanders", None).await;
    let blind = service.post(&carol, &format!("/v1/requests/{request}/approve"), json!({})).await;
    assert_eq!(blind.refusal(), (409, "digest_required"));
    // Ending takes no factor.
    service.act(&carol, &request, "deny").await.ok();
}

#[tokio::test]
async fn what_takes_two_levels_is_asked_for_in_two_requests() {
    let service = service(&[
        ("orders:read", r#"{ activation = { level = "mfa" } }"#),
        ("orders:write", r#"{ activation = { level = "pwd" } }"#),
        ("db:admin", r#"{ request = { level = "pwd" } }"#),
    ])
    .await;
    let pwd = factor("pwd", service.app.now().seconds());
    let alice = signed_in(&service, "al-1", "oncall", Some(pwd)).await;
    let answer = ask(&service, &alice, &["orders:read", "orders:write"]).await;
    assert_eq!(answer.refusal(), (400, "invalid_request"));
    assert_eq!(answer.body["errors"][0]["field"], "scopes");
    assert!(answer.body["detail"].as_str().unwrap().contains("(mfa, pwd)"), "{answer:?}");
    ask(&service, &alice, &["orders:write"]).await.ok();
}

fn payload(answer: Answer) -> Value {
    crate::token::claims_of(answer.ok()["token"].as_str().unwrap())
}

#[tokio::test]
async fn the_token_and_the_trail_say_how_its_holder_signed_in_when_it_was_taken() {
    let service = service(&[]).await;
    let now = service.app.now().seconds();
    let plain = signed_in(&service, "al-1", "oncall", None).await;
    let request = id(ask(&service, &plain, &["orders:read"]).await);
    let approver = factor("mfa", now - 7);
    let carol = signed_in(&service, "ca-3", "commanders", Some(approver)).await;
    service.act(&carol, &request, "approve").await.ok();
    let claims = payload(service.act(&plain, &request, "token").await);
    for claim in ["amr", "acr", "auth_time"] {
        assert_eq!(claims.get(claim), None, "{claims}");
    }
    let stepped_up = signed_in(&service, "al-1", "oncall", Some(factor("mfa", now - 9))).await;
    let again = payload(service.act(&stepped_up, &request, "token").await);
    assert_eq!(
        (&again["amr"], &again["acr"], &again["auth_time"]),
        (&json!(["pwd", "otp"]), &json!("acr-mfa"), &json!(now - 9))
    );
    assert_eq!((&again["jti"], &again["exp"]), (&claims["jti"], &claims["exp"]));
    let evidence = service.get("grace", "/v1/audit/requests?subject=corp:al-1").await.ok();
    let trail = evidence["requests"][0]["trail"].as_array().unwrap();
    let factors: Vec<(&Value, Option<&Value>)> =
        trail.iter().map(|row| (&row["action"], row["detail"].get("factor"))).collect();
    let said = |auth_time| json!({ "level": "mfa", "acr": "acr-mfa", "amr": ["pwd", "otp"], "auth_time": auth_time });
    assert_eq!(
        factors,
        [
            (&json!("submit"), None),
            (&json!("approve"), Some(&said(now - 7))),
            (&json!("issue_token"), None),
            (&json!("issue_token"), Some(&said(now - 9))),
        ]
    );
}

#[tokio::test]
async fn a_refresh_and_a_restart_change_nothing_of_how_a_person_signed_in() {
    let directory = tempfile::tempdir().unwrap();
    let required = [("orders:read", r#"{ request = { level = "mfa", max_age = "5m" } }"#)];
    let text = configuration(&directory, &required);
    let service = Service::start_with(directory, &text, START).await;
    let mut alice = said("corp", "al-1", &["oncall"]);
    alice.factor = Some(factor("mfa", START));
    let first = session(&service, &alice).await;
    service.advance(250);
    let next = refreshed(&service, &first.refresh).await.unwrap();
    let shown =
        service.get(&next.access, "/v1/sessions").await.ok()["sessions"][0]["factor"].clone();
    assert_eq!(
        shown,
        json!({ "level": "mfa", "acr": "acr-mfa", "amr": ["pwd", "otp"], "auth_time": "2026-11-22T02:13:00Z" })
    );
    ask(&service, &next.access, &["orders:read"]).await.ok();
    // The next process has it from the database.
    breakglass_server::tasks::time::stop(&service.app).await;
    service.app.store().close().await;
    let Service { directory, .. } = service;
    let service = Service::start_with(directory, &text, START + 260).await;
    ask(&service, &next.access, &["orders:read"]).await.ok();
    service.advance(41);
    let last = refreshed(&service, &next.refresh).await.unwrap();
    let answer = ask(&service, &last.access, &["orders:read"]).await;
    assert_eq!(answer.refusal(), (401, "insufficient_user_authentication"));
}

#[tokio::test]
async fn a_requirement_that_is_new_counts_for_what_was_asked_for_before() {
    let service = service(&[]).await;
    let alice = signed_in(&service, "al-1", "oncall", None).await;
    let request = id(ask(&service, &alice, &["orders:read"]).await);
    let (listed, _) = service.approved().await;
    service.act("carol", &request, "approve").await.ok();
    service.act(&alice, &request, "token").await.ok();
    let level = r#"{ activation = { level = "mfa" } }"#;
    let text = configuration(&service.directory, &[("orders:read", level)]);
    service.app.reconfigure(Config::parse(&text).unwrap());
    for (who, request) in [(alice.as_str(), &request), ("alice", &listed)] {
        let answer = service.act(who, request, "token").await;
        assert_eq!(answer.refusal(), (401, "insufficient_user_authentication"));
    }
}

/// A person with as many groups as a token has room for.
#[tokio::test]
async fn what_is_accepted_has_room_for_the_largest_factor() {
    let service = service(&[]).await;
    let person = |count: usize, factor| {
        let mut groups: Vec<String> = (0..count).map(|number| format!("{number:0>100}")).collect();
        groups.push("oncall".to_owned());
        let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
        let mut person = said("corp", "al-1", &groups);
        person.factor = factor;
        person
    };
    let mut most = None;
    for count in (0..60).rev() {
        let access = session(&service, &person(count, None)).await.access;
        let answer = ask(&service, &access, &["orders:read"]).await;
        if answer.status.is_success() {
            most = Some((count, id(answer)));
            break;
        }
        assert_eq!(answer.refusal(), (400, "token_too_large"));
    }
    let (count, request) = most.unwrap();
    service.act("carol", &request, "approve").await.ok();
    let largest = FactorRow {
        level: "mfa".to_owned(),
        acr: Some("a".repeat(256)),
        amr: vec!["m".repeat(16); 16],
        auth_time: START,
    };
    let access = session(&service, &person(count, Some(largest))).await.access;
    service.act(&access, &request, "token").await.ok();
}
