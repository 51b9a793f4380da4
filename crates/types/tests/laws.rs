//! Laws of the contracts, over made-up values: what one program writes, another one reads; and whatever else is read,
//! nothing panics. Natively only: a failing case is written down in `proptest-regressions`.

#![cfg(not(target_arch = "wasm32"))]
#![expect(clippy::arithmetic_side_effects, reason = "test code")]

use std::time::Duration;

use breakglass_types::challenge::{ChallengeClaims, MAX_PROBE_REPORTS, Reported};
use breakglass_types::claims::{Breakglass, Claims, Confirmation};
use breakglass_types::feed::{FeedAnswer, Revoked};
use breakglass_types::instant::{Instant, format_duration, parse_duration};
use breakglass_types::json::Json;
use breakglass_types::limits::{LAST_INSTANT, PROBE_LIFETIME_S};
use breakglass_types::scope_rules::{ScopeDigest, ScopeRules};
use breakglass_types::{Basis, hex, introspection, percent};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// A name that a claim may be: up to 256 bytes without control characters.
fn name() -> impl Strategy<Value = String> {
    "[^\\pC]{1,60}"
}

/// One word of a scope.
fn word() -> impl Strategy<Value = String> {
    "[^\\pC\\pZ ]{1,40}"
}

fn thumbprint() -> impl Strategy<Value = Confirmation> {
    // 32 bytes whose base64url has no bits left over.
    "[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]".prop_map(|x5t_s256| Confirmation { x5t_s256 })
}

fn digest(form: [u8; 32]) -> ScopeDigest {
    let paths = [hex::lower(&form)].into();
    ScopeRules { paths, ..ScopeRules::default() }.digest()
}

prop_compose! {
    fn breakglass()(
        reason in ".{0,300}", incident in option::of(name()), approvers in vec(name(), 0..4),
        emergency: bool, basis in option::of(select(&Basis::ALL)), approvals in option::of(any::<u32>()),
        scopes in btree_map(name(), any::<[u8; 32]>().prop_map(digest), 0..4),
    ) -> Breakglass {
        Breakglass { reason, incident, approvers, emergency, basis, approvals, scopes }
    }
}

prop_compose! {
    fn times()(
        iat in 0..=LAST_INSTANT, nbf in option::of(0..=LAST_INSTANT), exp in 0..=LAST_INSTANT,
        auth_time in option::of(0..=LAST_INSTANT),
    ) -> (u64, Option<u64>, u64, Option<u64>) {
        (iat, nbf, exp, auth_time)
    }
}

prop_compose! {
    fn claims()(
        (iat, nbf, exp, auth_time) in times(),
        iss in name(), sub in name(), aud in vec(name(), 1..4), jti in "[!-~]{1,256}",
        scope in vec(word(), 1..5), lists in [vec(name(), 0..3), vec(name(), 0..3), vec(name(), 0..3)],
        acr in option::of(name()), cnf in option::of(thumbprint()), breakglass in breakglass(),
    ) -> Claims {
        let [roles, groups, amr] = lists;
        Claims {
            iss, sub, aud, iat, nbf, exp, jti, scope, roles, groups, amr, acr, auth_time, cnf, breakglass,
        }
    }
}

/// Any JSON, as deep as it gets in practice.
fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        any::<u64>().prop_map(Json::from),
        any::<i64>().prop_map(|number| Json::Number(number.into())),
        // Eighths: of other doubles serde_json reads the last bit as it comes (its feature `float_roundtrip`).
        any::<i32>().prop_filter_map("finite", |number| {
            serde_json::Number::from_f64(f64::from(number) / 8.0).map(Json::Number)
        }),
        ".{0,20}".prop_map(Json::String),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Json::Array),
            btree_map(".{0,8}", inner, 0..5).prop_map(Json::Object),
        ]
    })
}

proptest! {
    #[test]
    fn claims_are_read_as_they_were_written(claims in claims()) {
        let text = serde_json::to_string(&claims).unwrap();
        let read = Claims::from_json(&Json::parse(text.as_bytes()).unwrap());
        prop_assert_eq!(read.as_ref(), Ok(&claims), "{}", text);
    }

    /// An instant with a fraction never lengthens the time of a token.
    #[test]
    fn a_fraction_never_lengthens_a_token(claims in claims(), iat in 0.0..1e11_f64, exp in 0.0..1e11_f64) {
        let mut value = serde_json::to_value(&claims).unwrap();
        value["iat"] = iat.into();
        value["exp"] = exp.into();
        let read = Claims::from_json(&Json::parse(value.to_string().as_bytes()).unwrap()).unwrap();
        #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
        let (begins, ends) = (read.iat as f64, read.exp as f64);
        prop_assert!(begins >= iat && ends <= exp && begins - iat < 1.0 && exp - ends < 1.0);
    }

    #[test]
    fn json_is_read_as_it_was_written(json in json()) {
        prop_assert_eq!(Json::parse(json.to_string().as_bytes()), Ok(json));
    }

    #[test]
    fn a_member_that_is_there_twice_is_refused(json in json(), name in ".{0,8}") {
        let name = serde_json::to_string(&name).unwrap();
        let text = format!("{{{name}:{json},{name}:1}}");
        prop_assert!(Json::parse(text.as_bytes()).is_err(), "{}", text);
    }

    #[test]
    fn nothing_panics_on_bytes(bytes in vec(any::<u8>(), 0..200), text in ".{0,200}") {
        for bytes in [&bytes[..], text.as_bytes()] {
            if let Ok(json) = Json::parse(bytes) {
                let _ = Claims::from_json(&json);
                let _ = ChallengeClaims::from_json(&json);
            }
            let _ = serde_json::from_slice::<FeedAnswer<Box<str>>>(bytes);
            let _ = introspection::read_answer(200, bytes, "g");
        }
        let _ = (parse_duration(&text), hex::decode::<16>(&text));
        prop_assert!(Reported::split(&text).len() <= MAX_PROBE_REPORTS);
    }

    #[test]
    fn a_duration_is_read_as_it_was_written(
        number in 0..u64::MAX / 4_000_000,
        unit in prop_oneof![Just(1), Just(1000), Just(60_000), Just(3_600_000)],
    ) {
        let duration = Duration::from_millis(number * unit);
        prop_assert_eq!(parse_duration(&format_duration(duration)), Some(duration));
    }

    #[test]
    fn later_instants_have_later_texts(one in 0..LAST_INSTANT * 1000, other in 0..LAST_INSTANT * 1000) {
        let text = |millis| Instant::from_millis(millis).rfc3339();
        prop_assert_eq!(one.cmp(&other), text(one).cmp(&text(other)));
    }

    #[test]
    fn bytes_are_read_as_they_were_written(bytes: [u8; 32]) {
        let text = hex::lower(&bytes);
        prop_assert!(hex::is_lower(&text, 64));
        prop_assert_eq!(hex::decode(&text), Some(bytes));
        prop_assert_eq!(hex::decode(&text.to_uppercase()), Some(bytes));
    }

    /// No text breaks out of the value that it is put into, and no two texts become one.
    #[test]
    fn an_encoded_text_is_one_value(text in ".{0,40}", other in ".{0,40}") {
        let query = percent::query_value(&text);
        prop_assert!(query.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)));
        let header = percent::header_value(&text);
        prop_assert!(header.bytes().all(|byte| byte.is_ascii_graphic()));
        prop_assert_eq!(text == other, query == percent::query_value(&other));
        prop_assert_eq!(text == other, header == percent::header_value(&other));
    }

    #[test]
    fn a_feed_is_read_as_it_was_written(
        epoch: u64, reset: bool, revoked in vec((".{1,20}", any::<u64>()), 0..6),
        feed in option::of(".{0,20}"), tag in option::of(".{0,20}"),
    ) {
        let revoked = revoked.into_iter().map(|(jti, exp)| Revoked { jti, exp }).collect();
        let answer = FeedAnswer { epoch, revoked, reset, feed, tag };
        let text = serde_json::to_string(&answer).unwrap();
        prop_assert_eq!(serde_json::from_str::<FeedAnswer<String>>(&text).unwrap(), answer);
    }

    #[test]
    fn a_challenge_is_read_as_it_was_written(
        iss in name(), jti in "[A-Za-z0-9_-]{1,64}", iat in 0..LAST_INSTANT, lives in 0..2 * PROBE_LIFETIME_S,
    ) {
        let claims = ChallengeClaims::new(&iss, &jti, iat, iat + lives);
        prop_assert_eq!(claims.is_some(), (1..=PROBE_LIFETIME_S).contains(&lives));
        let Some(claims) = claims else { return Ok(()) };
        let text = serde_json::to_string(&claims).unwrap();
        let read = ChallengeClaims::from_json(&Json::parse(text.as_bytes()).unwrap());
        prop_assert_eq!(read, Some(claims));
    }
}
