//! Who may call what: every operation, by every kind of caller.
//!
//! The table is written out, so that a reader can hold it against the documentation. It is not made of the table that
//! the service consults, and so each can find a mistake in the other.

use std::collections::{BTreeMap, BTreeSet};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use breakglass_server::access::callers::{CallerKind, Verb};
use breakglass_server::auth::identity::{AsAuditor, AsPerson, AsProxy};
use breakglass_server::session_token::ACCESS_PREFIX;
use breakglass_testing::service::{Answer, Service, token_of};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::responders::with_responders;

/// May call it: any status but 401 and 403.
pub(crate) const OK: u16 = 0;

/// One caller of each kind; `oncall` asks for `orders:read`, `commanders` approve it.
const CALLERS: [&str; 8] = ["", "nobody", "erin", "alice", "carol", "heidi", "grace", "envoy"];

/// The kinds of [`CALLERS`].
const KINDS: [CallerKind; 8] = [
    CallerKind::Anybody,
    CallerKind::UnknownCredential,
    CallerKind::Person,
    CallerKind::Requester,
    CallerKind::Approver,
    CallerKind::Responder,
    CallerKind::Auditor,
    CallerKind::Proxy,
];

/// Each operation, and the answer to each of [`CALLERS`].
#[rustfmt::skip]
pub(crate) const TABLE: &[(&str, &str, [u16; 8])] = &[
    // method path                         none unknown person requester approver responder auditor proxy
    ("get",  "/v1/requests",               [401, 401,     OK,      OK,      OK,       OK,      OK,  403]),
    ("post", "/v1/requests",               [401, 401,    403,      OK,     403,      403,     403,  403]),
    ("get",  "/v1/events",                 [401, 401,     OK,      OK,      OK,       OK,      OK,  403]),
    ("get",  "/v1/requests/{id}",          [401, 401,    403,      OK,      OK,       OK,      OK,  403]),
    ("post", "/v1/requests/{id}/approve",  [401, 401,    403,     403,      OK,      403,     403,  403]),
    ("post", "/v1/requests/{id}/question", [401, 401,   403,     403,      OK,       OK,     403,  403]),
    ("post", "/v1/requests/{id}/answer",   [401, 401,   403,      OK,     403,      403,     403,  403]),
    ("post", "/v1/requests/{id}/deny",     [401, 401,    403,     403,      OK,       OK,     403,  403]),
    ("post", "/v1/requests/{id}/cancel",   [401, 401,    403,      OK,     403,      403,     403,  403]),
    ("post", "/v1/requests/{id}/token",    [401, 401,    403,      OK,     403,      403,     403,  403]),
    ("get",  "/v1/scopes",                 [401, 401,     OK,      OK,      OK,       OK,      OK,  403]),
    ("post", "/v1/grants/{jti}/revoke",    [401, 401,    403,      OK,      OK,       OK,     403,  403]),
    ("get",  "/v1/revocations",            [401, 401,    403,     403,     403,      403,     403,   OK]),
    ("post", "/v1/revocations",            [401, 401,    403,      OK,      OK,       OK,     403,  403]),
    ("get",  "/v1/proxies",                [401, 401,     OK,      OK,      OK,       OK,      OK,  403]),
    ("post", "/v1/proxies/{id}/forget",    [401, 401,    403,     403,      OK,      403,     403,  403]),
    ("post", "/v1/proxies/configurations", [401, 401,    403,     403,     403,      403,     403,   OK]),
    ("post", "/v1/probes",                 [401, 401,    403,     403,     403,      403,      OK,  403]),
    ("post", "/v1/probes/{id}/answers",    [401, 401,    403,     403,     403,      403,      OK,  403]),
    ("get",  "/v1/scopes/uses",            [401, 401,    403,     403,     403,      403,      OK,  403]),
    ("get",  "/v1/grants/{jti}/uses",      [401, 401,    403,      OK,      OK,       OK,      OK,  403]),
    ("get",  "/v1/audit/events",           [401, 401,    403,     403,     403,      403,      OK,  403]),
    ("get",  "/v1/audit/heads",            [401, 401,    403,     403,     403,      403,      OK,  403]),
    ("post", "/v1/audit/heads",            [401, 401,    403,     403,     403,      403,     403,   OK]),
    ("get",  "/v1/audit/requests",         [401, 401,    403,     403,     403,      403,      OK,  403]),
    ("get",  "/v1/audit/service",          [401, 401,    403,     403,     403,      403,      OK,  403]),
    ("get",  "/v1/audit/attempts",         [401, 401,    403,     403,     403,      403,      OK,  403]),
    ("post", "/v1/alerts",                 [401, 401,    403,     403,     403,      403,     403,   OK]),
    ("get",  "/v1/audit/alerts",           [401, 401,    403,     403,     403,      403,      OK,  403]),
    ("post", "/oauth2/introspect",         [401, 401,    403,     403,     403,      403,     403,   OK]),
    ("post", "/oauth2/revoke",             [401, 401,    403,      OK,      OK,       OK,     403,  403]),
    ("get",  "/oauth2/authorize",          [ OK,  OK,     OK,      OK,      OK,       OK,      OK,   OK]),
    ("get",  "/signin/{provider}/callback", [ OK,  OK,     OK,      OK,      OK,       OK,      OK,   OK]),
    ("post", "/oauth2/token",              [ OK,  OK,     OK,      OK,      OK,       OK,      OK,   OK]),
    ("post", "/oauth2/device_authorization", [ OK,  OK,     OK,      OK,      OK,       OK,      OK,   OK]),
    ("get",  "/device",                    [ OK,  OK,     OK,      OK,      OK,       OK,      OK,   OK]),
    ("post", "/device",                    [ OK,  OK,     OK,      OK,      OK,       OK,      OK,   OK]),
    ("get",  "/.well-known/oauth-authorization-server", [ OK,  OK,     OK,      OK,      OK,       OK,      OK,   OK]),
    ("get",  "/signin/{provider}/logout",   [ OK,  OK,     OK,      OK,      OK,       OK,      OK,   OK]),
    ("get",  "/requests/{id}",             [ OK,  OK,     OK,      OK,      OK,       OK,      OK,   OK]),
    ("get",  "/v1/whoami",                 [401, 401,     OK,      OK,      OK,       OK,      OK,  403]),
    ("put",  "/v1/whoami/notify",          [401, 401,     OK,      OK,      OK,       OK,      OK,  403]),
    ("get",  "/v1/sessions",               [401, 401,     OK,      OK,      OK,       OK,      OK,  403]),
    ("post", "/v1/sessions/{id}/end",      [401, 401,     OK,      OK,      OK,       OK,      OK,  403]),
    ("get",  "/v1/directory/held-ends",    [401, 401,    403,     403,     403,      403,     403,  403]),
    ("post", "/v1/directory/held-ends/confirm", [401, 401,    403,     403,     403,      403,     403,  403]),
    ("get",  "/v1/deliveries",             [401, 401,    403,     403,     403,      403,      OK,  403]),
    ("post", "/v1/deliveries/{id}/replay", [401, 401,    403,     403,     403,      403,     403,  403]),
    ("get",  "/v1/rotations",              [401, 401,     OK,      OK,      OK,       OK,      OK,  403]),
    ("post", "/v1/rotations/{id}/done",    [401, 401,    403,     403,      OK,      403,     403,  403]),
    ("post", "/v1/rotations/{id}/retry",   [401, 401,    403,     403,      OK,      403,     403,  403]),
    ("get",  "/v1/reviews",                [401, 401,     OK,      OK,      OK,       OK,      OK,  403]),
    ("get",  "/v1/reviews/{id}",           [401, 401,    403,      OK,      OK,       OK,      OK,  403]),
    ("post", "/v1/reviews/{id}/sign",      [401, 401,    403,     403,      OK,      403,     403,  403]),
    ("post", "/v1/reviews/{id}/dispute",   [401, 401,    403,     403,      OK,      403,     403,  403]),
    ("get",  "/.well-known/jwks.json",     [ OK,  OK,     OK,      OK,      OK,       OK,      OK,   OK]),
    ("get",  "/healthz",                   [ OK,  OK,     OK,      OK,      OK,       OK,      OK,   OK]),
    ("get",  "/readyz",                    [ OK,  OK,     OK,      OK,      OK,       OK,      OK,   OK]),
    ("get",  "/metrics",                   [ OK,  OK,     OK,      OK,      OK,       OK,      OK,   OK]),
    ("get",  "/openapi.json",              [ OK,  OK,     OK,      OK,      OK,       OK,      OK,   OK]),
];

/// The operations of the description, by path and method.
fn operations() -> BTreeMap<(String, String), Value> {
    let document = breakglass_api::document::document();
    let paths = document["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().iter();
        methods.map(move |(method, one)| ((method.clone(), path.clone()), one.clone()))
    });
    operations.collect()
}

/// Whose request a call is about, and who approves it: names, or access tokens.
#[derive(Clone, Copy)]
pub(crate) struct Parties<'a> {
    pub(crate) requester: &'a str,
    pub(crate) approver: &'a str,
}

impl Parties<'_> {
    async fn pending(&self, service: &Service) -> String {
        let body = json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m" });
        let view = service.post(self.requester, "/v1/requests", body).await.ok();
        view["id"].as_str().unwrap().to_owned()
    }

    /// The ids of a request that was approved, and of its grant.
    async fn approved(&self, service: &Service) -> (String, String) {
        let id = self.pending(service).await;
        let view = service.act(self.approver, &id, "approve").await.ok();
        (id, view["grant"]["id"].as_str().unwrap().to_owned())
    }
}

/// A call that a caller with the right can make: what it is about is there, and is as it has to be. The caller is a name, an
/// access token, or nobody.
pub(crate) async fn call(
    service: &Service,
    (method, path): (&str, &str),
    caller: &str,
    parties: Parties<'_>,
) -> Answer {
    let is_about_grant = ["/token", "/revoke", "/uses"].iter().any(|end| path.ends_with(end))
        || (method, path) == ("post", "/v1/revocations");
    let (id, jti) = match is_about_grant {
        true => parties.approved(service).await,
        false if path.contains("{id}") && path.starts_with("/v1/requests") => {
            (parties.pending(service).await, String::new())
        }
        false if path.starts_with("/v1/reviews/") => {
            (reviewed(service, parties).await, String::new())
        }
        false if path.starts_with("/v1/rotations/") => {
            (owed(service, parties).await, String::new())
        }
        false => ("none".to_owned(), String::new()),
    };
    let body = match (method, path) {
        ("post", "/v1/requests") => {
            json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m" })
        }
        ("post", "/v1/revocations") => json!({ "grant": jti, "reason": "r" }),
        ("post", "/v1/probes") => json!({}),
        (_, path) if path.ends_with("/approve") => json!({ "digest": service.digest(&id).await }),
        (_, path) if path.ends_with("/deny") || path.ends_with("/revoke") => {
            json!({ "reason": "r" })
        }
        (_, path) if path.ends_with("/question") || path.ends_with("/answer") => {
            json!({ "text": "x" })
        }
        (_, path) if path.ends_with("/forget") => json!({ "reason": "r" }),
        (_, path) if path.ends_with("/done") => json!({ "note": "x" }),
        ("post", path) if path.starts_with("/v1/reviews/") => {
            let shown = service.get(parties.requester, &format!("/v1/reviews/{id}")).await.ok();
            json!({ "digest": shown["digest"], "note": "x" })
        }
        ("put", _) => json!({ "mail": false }),
        _ => json!({}),
    };
    let (media_type, body) = match path.starts_with("/oauth2/") {
        true => {
            let token = service.act(parties.requester, &id, "token").await.body["token"].clone();
            let token = token.as_str().unwrap_or("none").to_owned();
            ("application/x-www-form-urlencoded", format!("token={token}"))
        }
        false => ("application/json", body.to_string()),
    };
    let path = path.replace("{id}", &id).replace("{jti}", &jti);
    let mut request = Request::builder().method(method.to_uppercase().as_str()).uri(path);
    let bearer = match caller.starts_with(ACCESS_PREFIX) {
        true => caller.to_owned(),
        false => token_of(caller),
    };
    if !caller.is_empty() {
        request = request.header("authorization", format!("Bearer {bearer}"));
    }
    let body = if method != "get" { Body::from(body) } else { Body::empty() };
    service.send(request.header(CONTENT_TYPE, media_type).body(body).unwrap()).await
}

/// The id of a rotation that a grant owes: one that no scope of these tests names a hook for, put where an activation would.
async fn owed(service: &Service, parties: Parties<'_>) -> String {
    let (id, jti) = parties.approved(service).await;
    service.act(parties.requester, &id, "token").await.ok();
    let rotation = format!("rot_{id}");
    sqlx::query(
        "INSERT INTO rotations (id, request_id, jti, hook, scopes, next_at_ms)
         VALUES (?1, ?2, ?3, 'orders', '[\"orders:read\"]', 0)",
    )
    .bind(&rotation)
    .bind(&id)
    .bind(&jti)
    .execute(&service.database().await)
    .await
    .unwrap();
    service.tick().await;
    rotation
}

/// The id of a review that is owed: of a grant that another person than the parties has approved, put where an activation would.
async fn reviewed(service: &Service, parties: Parties<'_>) -> String {
    let id = parties.pending(service).await;
    let review = format!("rev_{id}");
    let database = service.database().await;
    for statement in [
        "INSERT INTO approvals (request_id, position, approver, approved_at_ms) VALUES (?1, 1, 'another', 1)",
        "UPDATE requests SET approved_at = submitted_at, jti = 'grant_' || id, granted_scopes = scopes,
             expires_at = submitted_at + duration_s WHERE id = ?1",
        "UPDATE requests SET activated_at = approved_at WHERE id = ?1",
        "INSERT INTO reviews (id, request_id, jti, requester, scopes, rules, within_s, needs_approval, ends_at_ms)
         SELECT ?2, id, jti, requester, scopes, '[\"orders\"]', 3600, 0, 0 FROM requests WHERE id = ?1",
    ] {
        sqlx::query(statement).bind(&id).bind(&review).execute(&database).await.unwrap();
    }
    service.tick().await;
    review
}

/// What an answer says of the caller's right.
pub(crate) fn outcome(answer: &Answer) -> u16 {
    let status = answer.status.as_u16();
    // Nobody is let through by accident, such as for a body of the wrong type.
    assert!(!matches!(status, 405 | 413 | 415 | 500..), "{answer:?}");
    if matches!(status, 401 | 403) { status } else { OK }
}

#[tokio::test]
async fn every_operation_answers_every_kind_of_caller_as_the_table_says() {
    let service = with_responders(r#"{ prod = ["security"] }"#).await;
    for (method, path, expected) in TABLE {
        for (caller, expected) in CALLERS.iter().zip(expected) {
            // What runs under a grant of before says nothing about the next call.
            service.advance(3600);
            let parties = Parties { requester: "alice", approver: "carol" };
            let answer = call(&service, (method, path), caller, parties).await;
            assert_eq!(outcome(&answer), *expected, "{method} {path} by {caller:?}: {answer:?}");
        }
    }
}

#[test]
fn every_operation_that_is_described_is_in_the_table_once() {
    let listed: Vec<(String, String)> =
        TABLE.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
    let described: Vec<(String, String)> = operations().into_keys().collect();
    assert_eq!(listed.iter().cloned().collect::<BTreeSet<_>>().len(), listed.len());
    let (listed, described): (BTreeSet<_>, BTreeSet<_>) =
        (listed.into_iter().collect(), described.into_iter().collect());
    assert_eq!(listed, described);
}

/// Where an endpoint looks again at what the service's table says, a wrong row there changes no answer.
#[test]
fn the_table_of_the_service_says_the_same() {
    let operations = operations();
    for (method, path, expected) in TABLE {
        let operation = &operations[&((*method).to_owned(), (*path).to_owned())];
        let is_it = |verb: &&Verb| operation["operationId"] == verb.operation();
        let verb = Verb::ALL.iter().find(is_it).unwrap();
        let admitted = KINDS.map(|kind| verb.admits(kind));
        assert_eq!(admitted, expected.map(|status| status == OK), "{method} {path}");
    }
}

/// What the description says of credentials is what the service's table says of callers.
#[test]
fn the_description_and_the_table_of_the_service_agree() {
    let mut described = BTreeMap::new();
    for operation in operations().into_values() {
        let id = operation["operationId"].as_str().unwrap().to_owned();
        described.insert(id, operation["security"].clone());
    }
    let served = Verb::ALL.iter().map(|verb| {
        let security = match (verb.is_for_anybody(), verb.callers().len()) {
            (true, 1) => json!([]),
            (true, _) => json!([{}, { "person": [] }]),
            (false, _) if verb.admits(CallerKind::Client) => json!([{}, { "person": [] }]),
            (false, _) if verb.admits(CallerKind::Proxy) => json!([{ "proxy": [] }]),
            (false, _) => json!([{ "person": [] }]),
        };
        (verb.operation().to_owned(), security)
    });
    assert_eq!(served.collect::<BTreeMap<String, Value>>(), described);
}

/// A route that is registered in another way has no guard.
#[test]
fn routes_are_registered_with_their_verbs_alone() {
    let source = include_str!("../../src/routes/mod.rs");
    for verb in Verb::ALL {
        let registered = source.matches(&format!("(Verb::{verb:?},")).count();
        assert_eq!(registered, 1, "{verb:?}");
    }
    assert!(!source.contains("routing::"), "a handler is registered without its verb");
}

#[tokio::test]
async fn an_endpoint_without_a_guard_answers_no_caller() {
    let service = Service::start().await;
    let routes = Router::new()
        .route("/person", get(async |_: AsPerson| "answered"))
        .route("/auditor", get(async |_: AsAuditor| "answered"))
        .route("/proxy", get(async |_: AsProxy| "answered"))
        .with_state(service.app.clone());
    for (path, caller) in [("/person", "alice"), ("/auditor", "grace"), ("/proxy", "envoy")] {
        let request = Request::get(path)
            .header("authorization", format!("Bearer {}", token_of(caller)))
            .body(Body::empty())
            .unwrap();
        let answer = routes.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 500, "{path}");
    }
}
