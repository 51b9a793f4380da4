//! How a token is presented: what is refused before anything in it is believed.

use breakglass_tests::client::{Request, get};
use breakglass_tests::gate::{Gate, Plan, Refused};
use breakglass_tests::grpc::call_with_trailers;
use breakglass_tests::keys::base64url;
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
fn refuses_a_token_over_the_configured_size() {
    let gate = Plan::standard().set("/max_token_bytes", json!(700)).start();
    let small = gate.mint().sign();
    assert!(small.len() < 700, "{}", small.len());
    gate.allows(&get("/v1/orders").token(small));
    let large = gate.mint().claim("padding", "x".repeat(300)).sign();
    gate.refuses(&get("/v1/orders").token(large), 401, "token_too_large");
}

#[test]
fn refuses_what_does_not_have_the_form_of_a_token() {
    let gate = Gate::standard();
    let token = gate.mint().sign();
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts[..] else { panic!("three parts") };
    gate.allows(&get("/v1/orders").token(&token));
    for malformed in [
        String::new(),
        ".".into(),
        "..".into(),
        "hello".into(),
        "a.b.c".into(),
        format!("{header}.{payload}"),
        format!(".{payload}.{signature}"),
        format!("{header}..{signature}"),
        format!("{token}.{signature}"),
        format!("{header}.{payload}.{signature}="),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}. {signature}"),
        format!("{header}.{payload}\t.{signature}"),
        format!("Bearer {token}"),
        format!("{token},"),
        format!("\"{token}\""),
        format!("{header}.{}+.{signature}", &payload[1..]),
        format!("{}.{payload}.{signature}", base64url(b"not json")),
        format!("{}.{payload}.{signature}", base64url(b"[]")),
        format!("{}.{payload}.{signature}", base64url(b"\xff\xfe")),
        format!("{header}.{}.{signature}", base64url(b"{")),
        format!("{header}.{}.{signature}", base64url(b"\"sub\"")),
    ] {
        let refused = gate.refuses(&get("/v1/orders").token(&malformed), 401, "token_malformed");
        assert_nothing_believed(&refused);
    }
    gate.still_serves();
}

#[test]
fn refuses_base64url_whose_last_bits_say_something() {
    let gate = Gate::standard();
    let token = gate.mint().sign();
    // The last character of a 64 byte signature carries two bits of it and four that must be 0.
    let last = token.chars().last().unwrap();
    let alphabet: Vec<char> =
        ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']).collect();
    let at = alphabet.iter().position(|one| *one == last).unwrap();
    assert_eq!(at % 16, 0, "a canonical last character");
    let other = format!("{}{}", &token[..token.len() - 1], alphabet[at + 1]);
    gate.refuses(&get("/v1/orders").token(other), 401, "token_malformed");
    gate.allows(&get("/v1/orders").token(token));
}

#[test]
fn refuses_a_header_whose_members_are_missing_of_another_type_or_dangerous() {
    let gate = Gate::standard();
    let present = |token: String| get("/v1/orders").token(token);
    for name in ["alg", "kid", "typ"] {
        gate.refuses(&present(gate.mint().without_header(name).sign()), 401, "token_malformed");
        for value in [json!(1), json!(null), json!(["x"]), json!({})] {
            let token = gate.mint().header(name, value).sign();
            gate.refuses(&present(token), 401, "token_malformed");
        }
    }
    for (name, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("jwk", gate.key.jwk()),
        ("jku", json!("https://attacker.test/keys")),
        ("x5u", json!("https://attacker.test/cert")),
        ("x5c", json!(["MIIB"])),
    ] {
        let token = gate.mint().header(name, value).sign();
        gate.refuses(&present(token), 401, "token_malformed");
    }
    gate.still_serves();
}

#[test]
fn refuses_json_that_can_be_read_in_two_ways() {
    let gate = Gate::standard();
    let present = |token: String| get("/v1/orders").token(token);
    let duplicate = |json: String| json.replacen('{', r#"{"kid":"key-1","#, 1);
    let duplicate_claim = |json: String| json.replacen('{', r#"{"scope":"admin:read","#, 1);
    let escaped = |json: String| json.replacen('{', r#"{"\u0073cope":"admin:read","#, 1);
    let nested = |json: String| json.replacen(r#""reason""#, r#""reason":"x","reason""#, 1);
    for token in [
        gate.mint().header_text(duplicate).sign(),
        gate.mint().payload_text(duplicate_claim).sign(),
        gate.mint().payload_text(escaped).sign(),
        gate.mint().payload_text(nested).sign(),
        gate.mint().payload_text(|json| format!("{json}{{}}")).sign(),
        gate.mint().payload_text(|json| format!("{json} x")).sign(),
        gate.mint().payload_text(|json| format!("\u{feff}{json}")).sign(),
        gate.mint().payload_text(|json| json.replace('}', ",}")).sign(),
        gate.mint().payload_text(|json| json.replace('"', "'")).sign(),
        gate.mint().payload_text(|json| json.replacen('{', r#"{"x":"\ud800","#, 1)).sign(),
        gate.mint().payload_text(|json| json.replacen('{', "{\"x\":\"\n\",", 1)).sign(),
        gate.mint().payload_text(|json| json.replacen('{', r#"{"x":NaN,"#, 1)).sign(),
        gate.mint().payload_text(|json| json.replacen('{', r#"{"x":01,"#, 1)).sign(),
    ] {
        gate.refuses(&present(token), 401, "token_malformed");
    }
    let not_utf8 = b"{\"sub\":\"\xff\"}".to_vec();
    gate.refuses(&present(gate.mint().payload_bytes(not_utf8).sign()), 401, "token_malformed");
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
fn a_bearer_that_is_not_ours_stays_untouched() {
    let gate = with_bearer();
    for other in [
        gate.mint().claim("iss", "https://login.test").sign(),
        gate.mint().header("typ", "at+jwt").sign(),
        "opaque-token".to_owned(),
        "a.b.c".to_owned(),
    ] {
        let passed = gate.passes(&bearer(&other));
        assert_eq!(passed.seen.header("authorization"), Some(&*format!("Bearer {other}")));
    }
    let basic = gate.passes(&get("/v1/orders").header("authorization", "Basic YTpi"));
    assert_eq!(basic.seen.header("authorization"), Some("Basic YTpi"));
}

#[test]
fn a_token_of_ours_in_another_form_is_refused_and_recorded() {
    let gate = with_bearer();
    let token = gate.mint().sign();
    let cut = &token[..token.len() - 1];
    let crit = gate.mint().header("crit", json!(["exp"])).sign();
    let keyless = gate.mint().without_header("kid").sign();
    let large = gate.mint().claim("padding", "x".repeat(9000)).sign();
    let foreign = gate.mint().header("typ", "at+jwt").sign();
    let single = |value: String| get("/v1/orders").header("authorization", value);
    for (value, reason) in [
        (format!("Bearer {cut}"), "token_malformed"),
        (format!("Bearer {}", &token[1..]), "token_malformed"),
        (format!("Bearer {crit}"), "token_malformed"),
        (format!("Bearer {keyless}"), "token_malformed"),
        (format!("Bearer {large}"), "token_too_large"),
        (format!("Bearer\t{token}"), "token_malformed"),
        (format!("Bearer \t{token}"), "token_malformed"),
        (format!("Token {token}"), "token_malformed"),
        (format!("Basic {token}"), "token_malformed"),
        (token.clone(), "token_malformed"),
        (format!("Bearer {token}, Basic YTpi"), "token_duplicated"),
        (format!("Digest username=\"a,b\", Bearer {token}"), "token_duplicated"),
        (format!("Bearer {token},Bearer {token}"), "token_duplicated"),
        (format!("Bearer {foreign}, Bearer {token}"), "token_duplicated"),
    ] {
        assert_nothing_believed(&gate.refuses(&single(value), 401, reason));
    }
    let lines = single("Basic YTpi".into()).header("authorization", format!("Token {token}"));
    gate.refuses(&lines, 401, "token_duplicated");
    gate.still_serves();
}

#[test]
fn lists_and_schemes_of_other_systems_stay_untouched() {
    let gate = with_bearer();
    for other in [
        "Digest username=\"a,b\", realm=\"x\", uri=\"/v1/orders?a=1,2\", response=\"0\"",
        "AWS4-HMAC-SHA256 Credential=AK/eu/s3/aws4_request, SignedHeaders=host, Signature=fe",
        "Negotiate YIIZ8wYGKwYBBQUCoIIZ5zCCGeOgMDAuBgkqhkiC9xIBAgI=",
        "Bearer opaque, Basic YTpi",
    ] {
        let passed = gate.passes(&get("/v1/orders").header("authorization", other));
        assert_eq!(passed.seen.header("authorization"), Some(other));
    }
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
