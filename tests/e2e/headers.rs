//! Headers between client, filter and upstream: nobody but the filter speaks for the filter.

use breakglass_tests::client::get;
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::grpc::call_with_trailers;
use breakglass_tests::upstream::Seen;
use serde_json::json;

/// Spellings that some server reads as headers of ours.
const SPOOFED: [&str; 8] = [
    "x-breakglass-grant",
    "X-Breakglass-Subject",
    "X-BREAKGLASS-DECISION",
    "x-breakglass-anything",
    "x_breakglass_grant",
    "X_Breakglass-Subject",
    "x-breakglass_subject",
    "x-breakglass-",
];

fn ours(seen: &Seen) -> Vec<(&str, &str)> {
    let name = |name: &str| name.replace('_', "-").starts_with("x-breakglass");
    seen.headers.iter().filter(|(k, _)| name(k)).map(|(k, v)| (k.as_str(), v.as_str())).collect()
}

#[test]
fn headers_of_ours_that_a_client_sends_are_removed_without_a_token() {
    let gate = Gate::standard();
    let request = SPOOFED.iter().fold(get("/v1/orders"), |request, name| {
        request.header(name, "evil").header(name, b"evil \xff")
    });
    let passed = gate.passes(&request.header("x-break", "kept").header("x-other", "kept"));
    assert_eq!(ours(&passed.seen), []);
    assert_eq!(passed.seen.header("x-break"), Some("kept"));
    assert_eq!(passed.seen.header("x-other"), Some("kept"));
    gate.still_serves();
}

#[test]
fn headers_of_ours_that_a_client_sends_are_replaced_with_a_token() {
    let gate = Gate::standard();
    let token = gate.mint();
    let request =
        SPOOFED.iter().fold(get("/v1/orders"), |request, name| request.header(name, "evil"));
    let allowed = gate.allows(&request.token(token.sign()));
    let mut found = ours(&allowed.seen);
    found.sort_unstable();
    let subject = ("x-breakglass-subject", "alice@example.com");
    assert_eq!(found, [("x-breakglass-grant", token.grant()), subject]);
    gate.still_serves();
}

#[test]
fn trailers_of_ours_that_a_client_sends_are_removed_with_and_without_a_token() {
    let gate = Gate::standard();
    let token = gate.mint().scope("grpc:call").sign();
    let trailers = SPOOFED
        .map(|name| (name, "evil"))
        .into_iter()
        .chain([("x-other", "kept")])
        .collect::<Vec<_>>();
    for (id, header) in
        [("trailers-1", ("x-other", "x")), ("trailers-2", ("x-breakglass-token", &*token))]
    {
        let headers = [("x-request-id", id), header];
        let answer =
            call_with_trailers(gate.envoy.address(), "/test.Orders/List", &headers, &trailers);
        assert_eq!((answer.http_status, answer.status()), (200, Some("0")));
        let seen = gate.upstream.saw(id).unwrap();
        assert_eq!(seen.trailers, [("x-other".to_owned(), "kept".to_owned())]);
    }
    gate.still_serves();
}

#[test]
fn a_token_in_a_header_of_ours_that_is_no_source_is_removed_too() {
    let sources = json!([{"header": "authorization", "scheme": "Bearer"}]);
    let gate = Plan::standard().set("/token_sources", sources).start();
    let passed = gate.passes(&get("/v1/orders").token(gate.mint().sign()));
    assert_eq!(ours(&passed.seen), []);
}

#[test]
fn the_token_reaches_the_upstream_where_the_source_says_forward() {
    let sources = json!([{"header": "x-breakglass-token", "forward": true}]);
    let gate = Plan::standard().set("/token_sources", sources).start();
    let token = gate.mint().sign();
    let allowed = gate.allows(&get("/v1/orders").token(&token));
    assert_eq!(allowed.seen.header("x-breakglass-token"), Some(&*token));
}

#[test]
fn a_subject_that_is_not_visible_ascii_reaches_the_upstream_percent_encoded() {
    let gate = Gate::standard();
    let with = |subject: &str| get("/v1/orders").token(gate.mint().claim("sub", subject).sign());
    let allowed = gate.allows(&with("zoë smith"));
    assert_eq!(allowed.seen.header("x-breakglass-subject"), Some("zo%C3%AB%20smith"));
    assert_eq!(allowed.audit.text_of("subject"), Some("zoë smith"));
}

#[test]
fn the_remaining_time_of_the_grant_is_for_envoy_and_not_for_the_upstream() {
    let gate = Gate::standard();
    let request = get("/v1/orders").token(gate.mint().sign());
    let spoofed = request.header("x-envoy-upstream-stream-duration-ms", "86400000");
    let allowed = gate.allows(&spoofed);
    assert_eq!(allowed.seen.header("x-envoy-upstream-stream-duration-ms"), None);
}

#[test]
fn a_refusal_does_not_echo_what_the_client_sent() {
    let gate = Gate::standard();
    let needle = "needle-4711";
    let request = get(format!("/admin/{needle}?{needle}"))
        .header("x-forwarded-host", needle)
        .token(format!("{needle}.{needle}.{needle}"));
    let refused = gate.refuses(&request, 401, "token_malformed");
    assert!(!format!("{:?}", refused.answer).contains(needle), "{:?}", refused.answer);
}
