//! What a token claims, once its issuer has signed it.

use serde_json::{Value, json};

use super::{Judge, token};
use crate::support::{Key, NOW, claims, config, test, with};

#[test]
fn an_unknown_issuer_is_refused_and_nothing_of_the_token_believed() {
    let mut judge = Judge::new(&config());
    judge.permits(token(json!({})));
    for issuer in ["https://issuer.example/", "https://ISSUER.example", "https://evil.example", "x"]
    {
        judge.disbelieves(token(json!({ "iss": issuer })), "issuer_unknown");
    }
}

#[test]
fn a_claim_that_is_missing_is_refused() {
    let mut judge = Judge::new(&config());
    for name in ["sub", "aud", "iat", "exp", "jti", "scope", "breakglass"] {
        judge.refuses(token(json!({ name: null })), 401, "claim_missing");
    }
    let breakglass = json!({"reason": "r", "approvers": ["bob"]});
    judge.permits(token(json!({ "breakglass": breakglass })));
    for name in ["reason", "approvers"] {
        let without = with(breakglass.clone(), json!({ name: null }));
        judge.refuses(token(json!({ "breakglass": without })), 401, "claim_missing");
    }
}

#[test]
fn a_claim_of_another_type_or_out_of_bounds_is_refused() {
    let mut judge = Judge::new(&config());
    judge.permits(token(json!({"sub": "x".repeat(256)})));
    for (name, value) in [
        ("sub", json!(1)),
        ("sub", json!("")),
        ("sub", json!("a\nb")),
        ("sub", json!("x".repeat(257))),
        ("jti", json!("a b")),
        ("jti", json!("a\r\nx-admin: 1")),
        ("aud", json!([])),
        ("aud", json!(7)),
        ("scope", json!(["orders:read"])),
        ("scope", json!("orders:read  orders:write")),
        ("roles", json!("oncall")),
        ("groups", json!({})),
        ("amr", json!("mfa")),
        ("acr", json!(2)),
        ("auth_time", json!("now")),
        ("cnf", json!({"jkt": "x"})),
        ("cnf", json!({"x5t#S256": "short"})),
        ("breakglass", json!("because")),
        ("breakglass", json!({"reason": 1, "approvers": []})),
        ("breakglass", json!({"reason": "r", "approvers": "bob"})),
        ("breakglass", json!({"reason": "r", "approvers": [], "emergency": "no"})),
    ] {
        judge.refuses(token(json!({ name: value })), 401, "claim_invalid");
    }
    judge.permits(token(json!({})));
}

#[test]
fn claims_that_nobody_asked_for_are_ignored() {
    Judge::new(&config()).permits(token(json!({"colour": {"deep": [1, 2.5, null]}})));
}

#[test]
fn a_token_for_another_environment_is_refused_and_one_for_several_is_not() {
    let mut judge = Judge::new(&config());
    judge.permits(token(json!({"aud": ["elsewhere", "payments-prod"]})));
    for audience in [json!("payments-test"), json!(["a", "b"]), json!("payments-prod ")] {
        judge.refuses(token(json!({ "aud": audience })), 401, "audience_mismatch");
    }
}

/// A token with a claim whose text no JSON library would write.
fn with_text(name: &str, text: &str) -> String {
    let marked = with(claims(), json!({ name: "@@" })).to_string();
    assert!(marked.contains("\"@@\""));
    Key::new(1).sign_text(marked.replace("\"@@\"", text).as_bytes())
}

#[test]
fn times_are_seconds_that_are_not_far_away() {
    let mut judge = Judge::new(&config());
    for name in ["iat", "exp", "nbf", "auth_time"] {
        for text in [
            &*format!("\"{NOW}\""),
            "1e300",
            "-1",
            "-0.5",
            "253402300800",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551615",
            "18446744073709551616",
            "null",
            "true",
            "[]",
            "{}",
        ] {
            judge.refuses(with_text(name, text), 401, "claim_invalid");
        }
    }
    // A fraction is a number of seconds too (RFC 7519 section 2).
    for (name, text) in [
        ("iat", format!("{}.5", NOW - 9)),
        ("nbf", format!("{}.0", NOW - 9)),
        ("exp", format!("{}.5", NOW + 60)),
        ("auth_time", "1.7e9".to_owned()),
    ] {
        judge.permits(with_text(name, &text));
    }
}

#[test]
fn a_token_counts_from_its_beginning_to_its_end_and_for_no_longer_than_its_issuer_may_say() {
    let mut judge = Judge::new(&config());
    let issued = |ago: u64, lifetime: u64| json!({"iat": NOW - ago, "exp": NOW - ago + lifetime});
    // Within the clock skew, which is 5 s unless configured.
    for changes in [
        issued(590, 600),
        issued(604, 600),
        issued(0, 3600),
        json!({"nbf": NOW - 1}),
        json!({"nbf": NOW + 5}),
        with(issued(0, 600), json!({"iat": NOW + 5})),
    ] {
        judge.permits(token(changes));
    }
    for (changes, reason) in [
        (issued(605, 600), "token_expired"),
        (issued(620, 600), "token_expired"),
        (issued(0, 3601), "lifetime_exceeded"),
        (json!({"nbf": NOW + 6}), "token_not_yet_valid"),
        (json!({"nbf": NOW + 60}), "token_not_yet_valid"),
        (json!({"iat": NOW + 6, "exp": NOW + 606}), "token_not_yet_valid"),
        (json!({"iat": NOW + 60, "exp": NOW + 660}), "token_not_yet_valid"),
        // What contradicts itself.
        (json!({"iat": NOW, "exp": NOW - 1}), "token_expired"),
        (json!({"iat": 0, "exp": 0}), "token_expired"),
        (json!({"exp": 253_402_300_799_u64}), "lifetime_exceeded"),
    ] {
        judge.refuses(token(changes), 401, reason);
    }
}

#[test]
fn many_members_and_long_lists_do_no_harm() {
    let mut judge = Judge::new(&with(config(), json!({"max_token_bytes": 65_536})));
    let members: serde_json::Map<String, Value> =
        (0..3_000).map(|n| (format!("m{n}"), json!(n))).collect();
    let scopes = format!("orders:read{}", " ghost:x".repeat(4_000));
    for many in [members.into(), json!({ "scope": scopes }), json!({"roles": vec!["ghost"; 5_000]})]
    {
        // Whether it is too much or not is for the filter to say: only that it goes on matters.
        let step = judge.judge(token(many).as_bytes());
        assert!(
            ["permit_unverified", "claim_invalid", "token_malformed"]
                .contains(&&*crate::support::reason(&step)),
            "{step:?}"
        );
    }
    judge.permits(token(json!({})));
}
