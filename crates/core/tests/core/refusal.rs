//! What a refusal says, and to whom.

use breakglass_core::step::{Refusal, Step};
use serde_json::{Value, json};

use crate::support::{Key, NOW, Request, Stage, claims, config, test, with};

fn refusal(config: &Value, request: &Request) -> Refusal {
    let step = Stage::new(config).request(1, request);
    let Step::Refuse(refusal, _) = step else { panic!("{step:?}") };
    refusal
}

fn header<'a>(refusal: &'a Refusal, name: &str) -> Option<&'a str> {
    let found = refusal.headers.iter().find(|(given, _)| *given == name);
    found.map(|(_, value)| value.as_str())
}

fn problem(refusal: &Refusal) -> Value {
    assert_eq!(header(refusal, "content-type"), Some("application/problem+json"));
    serde_json::from_slice(&refusal.body).unwrap()
}

fn token() -> String {
    Key::new(1).sign(&claims())
}

#[test]
fn before_a_signature_is_verified_an_answer_says_no_more_than_the_reason() {
    let refusal = refusal(&config(), &Request::under(&Key::new(2).sign(&claims())));
    assert_eq!(
        problem(&refusal),
        json!({
            "type": "urn:breakglass:reason:key_unknown",
            "title": "A valid break-glass token is needed",
            "status": 401,
            "detail": "the token was refused: key_unknown",
            "reason": "key_unknown",
            "request_id": "request-1",
        })
    );
    assert_eq!(
        header(&refusal, "www-authenticate"),
        Some(
            r#"Breakglass realm="breakglass", error="invalid_token", error_description="key_unknown""#
        )
    );
}

#[test]
fn the_holder_is_told_what_the_grant_covers_and_what_to_ask_for() {
    let request = Request::new("POST", "/v1/orders").header("x-breakglass-token", token());
    let refusal = refusal(&config(), &request);
    let problem = problem(&refusal);
    assert_eq!(
        problem["grant"],
        json!({
            "id": "grant-1", "subject": "alice", "expires_at": "2027-01-15T08:13:20.000Z",
            "scopes": [{"scope": "orders:read", "methods": ["GET", "HEAD"],
                "paths": ["/v1/orders", "/v1/orders/{id}"]}],
        })
    );
    assert_eq!(
        problem["remedy"],
        "breakglass request --scope orders:read --scope orders:write --reason '<why>' --incident INC-1 --duration 30m --wait"
    );
    assert_eq!(
        header(&refusal, "www-authenticate"),
        Some(
            "Breakglass realm=\"breakglass\", error=\"insufficient_scope\", \
             error_description=\"out_of_scope\", scope=\"orders:write\""
        )
    );
}

#[test]
fn nothing_is_offered_that_no_scope_covers() {
    let request = Request::new("DELETE", "/v1/orders").header("x-breakglass-token", token());
    assert_eq!(problem(&refusal(&config(), &request)).get("remedy"), None);
}

#[test]
fn what_is_offered_is_safe_to_paste() {
    for (incident, offered) in [
        ("INC-7", " --incident INC-7"),
        ("two words", " --incident 'two words'"),
        ("$(rm -rf /)", " --incident '$(rm -rf /)'"),
        ("it's", r" --incident 'it'\''s'"),
        ("--help", " --incident=--help"),
        ("a;b", " --incident 'a;b'"),
    ] {
        let breakglass = json!({"reason": "x", "incident": incident, "approvers": ["bob"]});
        let token = Key::new(1).sign(&with(claims(), json!({"breakglass": breakglass})));
        let request = Request::new("POST", "/v1/orders").header("x-breakglass-token", token);
        let problem = problem(&refusal(&config(), &request));
        let remedy = problem["remedy"].as_str().unwrap();
        assert!(remedy.ends_with(&format!("'<why>'{offered} --duration 30m --wait")), "{remedy}");
    }
}

#[test]
fn a_step_up_is_a_challenge_of_rfc_9470() {
    let scope = json!({"name": "orders:read", "methods": ["GET"], "paths": ["/v1/orders"],
        "require": {"acr": ["aal2", "aal3"], "max_auth_age": "15m"}});
    let refusal = refusal(&with(config(), json!({"scopes": [scope]})), &Request::under(&token()));
    assert_eq!(
        header(&refusal, "www-authenticate"),
        Some(
            "Breakglass realm=\"breakglass\", error=\"insufficient_user_authentication\", \
             error_description=\"step_up_required\", acr_values=\"aal2 aal3\", max_age=\"900\""
        )
    );
}

#[test]
fn a_request_without_a_token_gets_a_challenge_without_an_error() {
    let deny = with(config(), json!({"unauthenticated": "deny"}));
    let refusal = refusal(&deny, &Request::new("GET", "/"));
    assert_eq!(header(&refusal, "www-authenticate"), Some("Breakglass realm=\"breakglass\""));
}

#[test]
fn a_grpc_client_gets_a_grpc_status_and_a_message() {
    let request = Request::new("POST", "/v1/orders")
        .header("content-type", "application/grpc+proto")
        .header("x-breakglass-token", token());
    let refusal = refusal(&config(), &request);
    assert_eq!(refusal.grpc_status, 7);
    assert_eq!(header(&refusal, "content-type"), None);
    let message = String::from_utf8(refusal.body).unwrap();
    assert!(message.starts_with("out_of_scope: ") && message.contains("breakglass request"));
}

#[test]
fn only_what_envoy_takes_for_grpc_gets_a_grpc_answer() {
    for (content_type, is_grpc) in [
        ("application/grpc", true),
        ("application/grpc+json", true),
        ("application/grpc-web", false),
        ("application/grpcx", false),
        ("application/grpc; charset=utf-8", false),
        ("application/json", false),
    ] {
        let request = Request::under("x").header("content-type", content_type);
        let refusal = refusal(&config(), &request);
        assert_eq!(header(&refusal, "content-type").is_none(), is_grpc, "{content_type}");
    }
}

#[test]
fn a_failure_of_the_filter_refuses_what_was_already_permitted() {
    let mut stage = Stage::new(&config());
    let step = stage.request(1, &Request::under(&token()));
    assert!(matches!(step, Step::Permit(_)));
    let (refusal, _) = stage.worker.fail(1, stage.now);
    assert_eq!(refusal.reason.status(), 500);
    let record = stage.logged(1).unwrap();
    assert_eq!(
        (&record["decision"], &record["reason"]),
        (&json!("deny"), &json!("internal_error"))
    );
    assert_eq!(record["grant"], "grant-1");
}

/// The command that a refusal offers.
fn offered(config: &Value, token: &str, method: &str, path: &str) -> Option<String> {
    let request = Request::new(method, path).header("x-breakglass-token", token);
    Some(problem(&refusal(config, &request))["remedy"].as_str()?.to_owned())
}

#[test]
fn the_narrowest_scope_is_offered_beside_what_is_held() {
    let scope = |name: &str, methods: &[&str], paths: &[&str], roles: &[&str]| {
        let scope = json!({"name": name, "methods": methods, "paths": paths});
        if roles.is_empty() { scope } else { with(scope, json!({"require": {"roles": roles}})) }
    };
    let config = with(
        config(),
        json!({"scopes": [
            scope("orders:read", &["GET"], &["/v1/orders"], &[]),
            scope("admin:everything", &["GET", "POST", "DELETE"], &["/**"], &[]),
            scope("b:any", &["POST"], &["/v1/**"], &[]),
            scope("c:any", &["POST"], &["/v1/{x}"], &[]),
            scope("orders:all", &["POST"], &["/v1/orders/**"], &[]),
            scope("orders:both", &["POST", "GET"], &["/v1/orders"], &[]),
            scope("orders:boss", &["POST"], &["/v1/orders", "/v1/invoices"], &["boss"]),
            scope("orders:many", &["POST"], &["/v1/orders", "/v1/carts"], &["oncall"]),
            scope("orders:write", &["POST"], &["/v1/orders"], &["oncall", "boss"]),
            scope("secret", &["GET"], &["/secret"], &["boss", "deputy"]),
            // Narrower, and not for where the holder comes from; and narrower, after another sign-in.
            with(scope("near", &["PUT"], &["/v1/orders"], &[]),
                json!({"require": {"source_cidrs": ["203.0.113.0/24"]}})),
            scope("wide", &["PUT", "PATCH"], &["/v1/orders"], &[]),
            with(scope("strong", &["PATCH"], &["/v1/orders"], &[]), json!({"require": {"acr": ["aal3"]}})),
            with(scope("far", &["PUT"], &["/v1/far"], &[]),
                json!({"require": {"source_cidrs": ["203.0.113.0/24"]}})),
        ]}),
    );
    let offered = |token: &str, method, path| offered(&config, token, method, path);
    let holder = |changes: Value| Key::new(1).sign(&with(claims(), changes));
    let command = |scopes: &str| {
        let rest = "--reason '<why>' --incident INC-1 --duration 30m --wait";
        Some(format!("breakglass request {scopes} {rest}"))
    };
    let oncall = holder(json!({"roles": ["oncall"]}));
    let nobody = holder(json!({"roles": []}));
    for (token, method, path, scopes) in [
        (&oncall, "POST", "/v1/orders", "--scope orders:read --scope orders:write"),
        // What needs a role that the token does not have is not offered.
        (&nobody, "POST", "/v1/orders", "--scope orders:read --scope c:any"),
        (&oncall, "POST", "/v1/orders/7", "--scope orders:read --scope orders:all"),
        (&oncall, "POST", "/v1/else/7", "--scope orders:read --scope b:any"),
        (&oncall, "DELETE", "/v1/orders", "--scope orders:read --scope admin:everything"),
        (&oncall, "PUT", "/v1/orders", "--scope orders:read --scope wide"),
        (&oncall, "PATCH", "/v1/orders", "--scope orders:read --scope strong"),
        (&oncall, "PUT", "/v1/far", "--scope orders:read --scope far"),
    ] {
        assert_eq!(offered(token, method, path), command(scopes), "{method} {path}");
    }
    let two = holder(json!({"scope": "orders:read billing:read orders:read", "roles": ["oncall"]}));
    let scopes = "--scope orders:read --scope billing:read --scope orders:write";
    assert_eq!(offered(&two, "POST", "/v1/orders"), command(scopes));
    let many: Vec<String> = (0..16).map(|number| format!("s{number}")).collect();
    let many = holder(json!({"scope": many.join(" "), "roles": ["oncall"]}));
    assert_eq!(offered(&many, "POST", "/v1/orders"), command("--scope orders:write"));

    let secret = json!({"scopes": [scope("orders:read", &["GET"], &["/v1/orders"], &[]),
        scope("secret", &["GET"], &["/secret"], &["boss", "deputy"])]});
    let request = Request::new("GET", "/secret").header("x-breakglass-token", &*oncall);
    let problem = problem(&refusal(&with(config.clone(), secret), &request));
    assert_eq!(problem.get("remedy"), None);
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail
            .ends_with("is for who has the role `boss` or `deputy`, which the token does not say")
    );
}

#[test]
fn a_grant_that_has_ended_is_offered_again() {
    let ended = Key::new(1).sign(&with(claims(), json!({"exp": NOW - 60})));
    let refusal = refusal(&config(), &Request::under(&ended));
    let problem = problem(&refusal);
    assert_eq!(
        (problem["reason"].as_str(), problem["remedy"].as_str()),
        (
            Some("token_expired"),
            Some(
                "breakglass request --scope orders:read --reason '<why>' --incident INC-1 --duration 30m --wait"
            )
        )
    );
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.starts_with(
        "the grant ended at 2027-01-15T07:59:00.000Z, and it is 2027-01-15T08:00:00.000Z by"
    ));
}

#[test]
fn a_clock_that_is_off_is_named_with_both_times() {
    let early = Key::new(1).sign(&with(claims(), json!({"iat": NOW + 60, "exp": NOW + 120})));
    let detail = problem(&refusal(&config(), &Request::under(&early)))["detail"].clone();
    assert_eq!(
        detail,
        "the token counts from 2027-01-15T08:01:00.000Z on, and it is 2027-01-15T08:00:00.000Z by this proxy's \
         clock: either that is wrong, or the issuer's"
    );
}

#[test]
fn what_an_issuer_signed_is_explained_and_what_nobody_signed_is_not() {
    let of = |changes: Value| with(claims(), changes);
    let told = |key: u8, claims: &Value| {
        let problem = problem(&refusal(&config(), &Request::under(&Key::new(key).sign(claims))));
        let text = |member: &str| problem[member].as_str().unwrap().to_owned();
        assert_eq!(problem.get("grant"), None);
        (text("reason"), text("detail"))
    };
    for (claims, reason, named) in [
        (of(json!({"sub": 7})), "claim_invalid", "claim `sub` is invalid"),
        (of(json!({"jti": null})), "claim_missing", "claim `jti` is missing"),
        (of(json!({"aud": ["a`\n", "b"]})), "claim_invalid", "claim `aud` is invalid"),
        (
            of(json!({"aud": ["staging", "b"]})),
            "audience_mismatch",
            "for `staging`, `b`, and this proxy takes tokens for `payments-prod`",
        ),
        (of(json!({"exp": NOW + 100_000})), "lifetime_exceeded", "for more than 1h"),
    ] {
        let (given, detail) = told(1, &claims);
        assert_eq!(given, reason);
        assert!(detail.contains(named), "{claims} {detail}");
    }
    // The same, under a signature that is not the key's.
    for claims in [of(json!({"sub": 7})), of(json!({"aud": ["staging"]}))] {
        let token = Key::new(1).sign(&claims);
        let (start, signature) = token.rsplit_once('.').unwrap();
        let other = if signature.starts_with('A') { 'B' } else { 'A' };
        let rest: String = signature.chars().skip(1).collect();
        let forged = format!("{start}.{other}{rest}");
        let problem = problem(&refusal(&config(), &Request::under(&forged)));
        let reason = problem["reason"].as_str().unwrap();
        assert_eq!(problem["detail"], format!("the token was refused: {reason}"));
    }
}

#[test]
fn what_cannot_be_checked_now_says_when_to_try_again() {
    let stale = with(
        config(),
        json!({"revocation": {"feed": {"cluster": "c", "authority": "a", "path": "/f"}}}),
    );
    let mut stage = Stage::new(&stale);
    let call = stage.call();
    stage.fail(&call);
    let Step::Refuse(refusal, _) = stage.request(1, &Request::under(&token())) else { panic!() };
    assert_eq!(
        (refusal.reason.code(), header(&refusal, "retry-after")),
        ("revocation_unknown", Some("2"))
    );
    let forged = self::refusal(&config(), &Request::under(&Key::new(2).sign(&claims())));
    assert_eq!(header(&forged, "retry-after"), None);
}

#[test]
fn the_challenge_is_that_of_the_source_that_comes_first() {
    let bearer = json!({"header": "authorization", "scheme": "Bearer"});
    let own = json!({"header": "x-breakglass-token"});
    for (sources, scheme) in [
        (json!([own]), "Breakglass"),
        (json!([own, bearer]), "Breakglass"),
        (json!([bearer, own]), "Bearer"),
        (json!([{"header": "authorization", "scheme": "Break-Glass"}]), "break-glass"),
    ] {
        let config = with(config(), json!({"unauthenticated": "deny", "token_sources": sources}));
        let refusal = refusal(&config, &Request::new("GET", "/"));
        let challenge = header(&refusal, "www-authenticate");
        assert_eq!(challenge, Some(&*format!("{scheme} realm=\"breakglass\"")));
    }
}

#[test]
fn what_an_issuer_signs_wrongly_is_logged_once_of_each_kind() {
    let mut stage = Stage::new(&config());
    let mut send = |stream: u32, key: u8, changes: Value| {
        let token = Key::new(key).sign(&with(claims(), changes));
        let _ = stage.request(stream, &Request::under(&token));
        stage.logged(stream);
        stage.tick().warnings
    };
    let logged = send(1, 1, json!({"sub": 7}));
    assert_eq!(
        logged,
        [
            "a token is refused (claim_invalid), though its issuer signed it: claim `sub` is invalid: that is the \
          issuer's mistake, and another token does not help"
        ]
    );
    assert!(send(2, 1, json!({"sub": 8})).is_empty(), "once");
    assert_eq!(send(3, 1, json!({"jti": null})).len(), 1);
    // What nobody signed fills no log.
    assert!(send(4, 2, json!({"iss": 7})).is_empty());
}
