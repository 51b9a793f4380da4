//! How a token is presented: what is refused before anything in it is believed. The tables are in the core's tests
//! (`crates/core/tests/core/tokens/form.rs` and `token_sources.rs`).

use breakglass_tests::client::{Request, get};
use breakglass_tests::gate::{Gate, Plan, Refused};
use breakglass_tests::grpc::call_with_trailers;
use serde_json::{Value, json};

/// Nothing of a token that is not verified is told or recorded.
fn assert_nothing_believed(refused: &Refused) {
    assert_eq!(refused.problem.get("grant"), None);
    for member in ["grant", "subject", "incident", "justification", "approvers", "scope"] {
        assert_eq!(*refused.audit.of(member), Value::Null, "{}", refused.audit.text);
    }
}

#[test]
fn refuses_a_token_that_is_there_twice() {
    let gate = Gate::standard();
    let token = gate.mint().sign();
    gate.allows(&get("/v1/orders").token(&token));
    let twice = get("/v1/orders").token(&token).token(&token);
    assert_nothing_believed(&gate.refuses(&twice, 401, "token_duplicated"));
    let twice = get("/v1/orders").token(&token).header("X-Breakglass-Token", "");
    gate.refuses(&twice, 401, "token_duplicated");
    let joined = get("/v1/orders").token(format!("{token}, {token}"));
    gate.refuses(&joined, 401, "token_malformed");
    gate.still_serves();
}

#[test]
fn refuses_a_token_over_eight_kibibytes_and_allows_one_that_is_just_under() {
    let gate = Gate::standard();
    // Three bytes of claims are four of token.
    let room = (8192 - gate.mint().sign().len()) * 3 / 4;
    let padded = |bytes: usize| gate.mint().claim("padding", "x".repeat(bytes)).sign();
    let (under, over) = (padded(room - 40), padded(room + 10));
    assert!(under.len() <= 8192 && over.len() > 8192, "{} {}", under.len(), over.len());
    gate.allows(&get("/v1/orders").token(under));
    let refused = gate.refuses(&get("/v1/orders").token(over), 401, "token_too_large");
    assert_nothing_believed(&refused);
    gate.still_serves();
}

#[test]
fn refuses_what_is_not_written_as_a_token_is() {
    let gate = Gate::standard();
    let token = gate.mint().sign();
    let crit = gate.mint().header("crit", json!(["exp"])).sign();
    let twice = gate.mint().payload_text(|json| json.replacen('{', r#"{"scope":"admin:read","#, 1));
    for malformed in [
        String::new(),
        "a.b.c".into(),
        format!("Bearer {token}"),
        token.replacen('.', "\t.", 1),
        token[..token.len() - 1].into(),
        crit,
        twice.sign(),
    ] {
        let refused = gate.refuses(&get("/v1/orders").token(&malformed), 401, "token_malformed");
        assert_nothing_believed(&refused);
    }
    gate.still_serves();
}

/// A gate that also takes tokens from `authorization`.
fn with_bearer() -> Gate {
    let sources = json!([
        {"header": "x-breakglass-token"},
        {"header": "authorization", "scheme": "Bearer"},
    ]);
    Plan::standard().set("/token_sources", sources).start()
}

fn bearer(token: &str) -> Request {
    get("/v1/orders").header("authorization", format!("Bearer {token}"))
}

#[test]
fn a_bearer_of_ours_is_a_token_and_does_not_reach_the_upstream() {
    let gate = with_bearer();
    let allowed = gate.allows(&bearer(&gate.mint().sign()));
    assert_eq!(allowed.seen.header("authorization"), None);
    let lower = get("/v1/orders").header("Authorization", format!("bearer {}", gate.mint().sign()));
    gate.allows(&lower);
    let expired = gate.mint().issued(700, 600).sign();
    gate.refuses(&bearer(&expired), 401, "token_expired");
}

#[test]
fn what_other_systems_put_there_stays_untouched() {
    let gate = with_bearer();
    for other in [
        format!("Bearer {}", gate.mint().claim("iss", "https://login.test").sign()),
        format!("Bearer {}", gate.mint().header("typ", "at+jwt").sign()),
        "Bearer opaque, Basic YTpi".to_owned(),
        "Digest username=\"a,b\", realm=\"x\", uri=\"/v1/orders?a=1,2\", response=\"0\"".to_owned(),
    ] {
        let passed = gate.passes(&get("/v1/orders").header("authorization", &other));
        assert_eq!(passed.seen.header("authorization"), Some(&*other));
    }
}

#[test]
fn a_token_of_ours_in_another_form_is_refused_and_recorded() {
    let gate = with_bearer();
    let token = gate.mint().sign();
    let large = gate.mint().claim("padding", "x".repeat(9000)).sign();
    let single = |value: String| get("/v1/orders").header("authorization", value);
    for (value, reason) in [
        (format!("Bearer {}", &token[1..]), "token_malformed"),
        (format!("Bearer {large}"), "token_too_large"),
        (format!("Bearer \t{token}"), "token_malformed"),
        (token.clone(), "token_malformed"),
        (format!("Digest username=\"a,b\", Bearer {token}"), "token_duplicated"),
    ] {
        assert_nothing_believed(&gate.refuses(&single(value), 401, reason));
    }
    let lines = single("Basic YTpi".into()).header("authorization", format!("Token {token}"));
    gate.refuses(&lines, 401, "token_duplicated");
    gate.still_serves();
}

#[test]
fn a_token_in_a_trailer_does_not_reach_the_upstream_and_is_recorded() {
    let gate = with_bearer();
    let token = gate.mint().scope("grpc:call").sign();
    let bearer = format!("Bearer {token}");
    let call = |id: &str, header: (&str, &str), trailer: &str| {
        let headers = [("x-request-id", id), header];
        let trailers = [("authorization", trailer), ("x-other", "kept")];
        call_with_trailers(gate.envoy.address(), "/test.Orders/List", &headers, &trailers)
    };
    // Nothing was recorded of the request so far: it is refused now.
    let refused = call("trailer-1", ("x-other", "x"), &bearer);
    assert_eq!(refused.status(), Some("16"));
    let record = gate.envoy.record("trailer-1");
    let audit = record.audit().unwrap();
    assert_eq!(audit.text_of("reason"), Some("token_malformed"));
    assert_eq!(audit.text_of("path"), Some("/test.Orders/List"));
    assert_eq!(audit.text_of("method"), Some("POST"));
    assert_eq!(audit.text_of("host"), Some("orders.internal"));
    let seen = gate.upstream.saw("trailer-1");
    assert!(seen.is_none_or(|seen| seen.trailers.is_empty()));
    // Under a token it is taken away, and the call goes on.
    let allowed = call("trailer-2", ("x-breakglass-token", &token), &bearer);
    assert_eq!((allowed.http_status, allowed.status()), (200, Some("0")));
    let trailers = gate.upstream.saw("trailer-2").unwrap().trailers;
    assert_eq!(trailers, [("x-other".to_owned(), "kept".to_owned())]);
    // Another system's is not for us.
    let passed = call("trailer-3", ("x-other", "x"), "Basic YTpi");
    assert_eq!((passed.http_status, passed.status()), (200, Some("0")));
    assert_eq!(gate.upstream.saw("trailer-3").unwrap().trailers.len(), 2);
    gate.still_serves();
}

#[test]
fn the_dedicated_header_decides_before_the_bearer_does() {
    let gate = with_bearer();
    let (good, bad) = (gate.mint().sign(), gate.mint().issued(700, 600).sign());
    gate.allows(&bearer("of.another.kind").token(&good));
    gate.refuses(&bearer(&good).token(&bad), 401, "token_expired");
}
