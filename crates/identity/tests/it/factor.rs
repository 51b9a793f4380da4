//! The second factor: naive clients are fooled in the ways that are named here. What Keycloak answered is in the examples; a
//! running one is asked in `crates/server/tests/keycloak`.

use std::time::Duration;

use breakglass_identity::{AskedLevel, ExpectedIdToken, Factor, IdentityProvider};
use serde_json::{Value, json};

use crate::support::{TestIssuer, at, example, keycloak, provider};

/// When the level was asked for, ten seconds before the answer came.
const ASKED: u64 = 1_795_673_710;
const NOW: u64 = ASKED + 10;

/// Levels as the documentation has them for Keycloak: `acr` alone is not enough.
const LEVELS: &str = "algorithms = ['ES256']\n\
    levels.pwd = { acr_values = ['pwd'], counts = { acr = ['pwd', 'mfa'] } }\n\
    levels.mfa = { acr_values = ['mfa'], counts = { acr = ['mfa'], amr = ['otp', 'hwk'] } }";

/// Judges an ID token of a code exchange that asked for `level`, of at most `max_age` seconds.
fn judge(
    entry: &IdentityProvider,
    level: &str,
    max_age: u64,
    token: &Value,
) -> Result<Factor, String> {
    let issuer = TestIssuer::new("k");
    let nonce = token["payload"]["nonce"].as_str().unwrap().to_owned();
    let expected = ExpectedIdToken { provider: entry, nonce: &nonce };
    let verified = issuer.verify(&issuer.sign_example(token), &expected, NOW).unwrap();
    let max_age = Duration::from_secs(max_age);
    let asked = AskedLevel { name: level.to_owned(), max_age, asked_at: at(ASKED) };
    Factor::judge(&asked, &entry.levels[level], &verified, at(NOW))
        .map_err(|error| error.to_string())
}

/// An answer with this `acr`, `amr` and an authentication so many seconds before the token was issued.
fn answer(acr: Value, amr: Value, age: u64) -> Value {
    let mut token = example("keycloak-id_token-mfa.json");
    let issued_at = token["payload"]["iat"].as_u64().unwrap();
    token["payload"]["acr"] = acr;
    token["payload"]["amr"] = amr;
    token["payload"]["auth_time"] = json!(issued_at - age);
    token
}

#[test]
fn trap_1_a_max_age_alone_asks_for_the_password_only() {
    let entry = keycloak(LEVELS);
    let token = example("keycloak-id_token-pwd.json");
    let error = judge(&entry, "mfa", 60, &token).unwrap_err();
    assert_eq!(
        error,
        "the identity provider did not confirm the level `mfa`: `acr`: expected `mfa`, got `pwd`"
    );
    assert_eq!(judge(&entry, "pwd", 60, &token).unwrap().amr(), ["pwd"]);
}

#[test]
fn trap_2_an_acr_that_was_reached_long_ago_does_not_count() {
    let entry = keycloak(LEVELS);
    // As it is answered to `acr_values=mfa` alone: nothing was asked.
    let error = judge(&entry, "mfa", 60, &answer(json!("mfa"), json!(["pwd"]), 1)).unwrap_err();
    assert!(error.ends_with("`amr`: expected `otp` or `hwk`, got `pwd`"), "{error}");
    // Where a provider says the old method as well, its time tells: 60 s may have passed when it was asked for, 10 s
    // since then, and 2 s are for rounding.
    let whole = |age| answer(json!("mfa"), json!(["pwd", "otp"]), age);
    assert!(judge(&entry, "mfa", 60, &whole(72)).is_ok());
    let error = judge(&entry, "mfa", 60, &whole(73)).unwrap_err();
    assert!(error.contains("did not ask the person again"), "{error}");
    let mut timeless = whole(1);
    timeless["payload"].as_object_mut().unwrap().remove("auth_time");
    assert!(
        judge(&entry, "mfa", 60, &timeless).unwrap_err().contains("`auth_time`: expected when")
    );
}

#[test]
fn the_time_is_judged_by_the_providers_own_clock() {
    let entry = keycloak(LEVELS);
    // Its clock is 50 s ahead of ours: neither is a fresh factor refused, nor does an old one pass.
    let ahead = |age: u64| {
        let mut token = answer(json!("mfa"), json!(["otp"]), 0);
        token["payload"]["iat"] = json!(NOW + 50);
        token["payload"]["auth_time"] = json!(NOW + 50 - age);
        token
    };
    let fresh = judge(&entry, "mfa", 5, &ahead(0)).unwrap();
    assert_eq!(fresh.auth_time(), at(NOW), "no authentication is later than now");
    assert!(judge(&entry, "mfa", 5, &ahead(18)).is_err());
}

/// Trap 3, by type: the ID token of a refresh is a `RefreshedIdToken`, and no `Factor` can be made of one:
/// `Factor::judge` takes `&Verified<IdToken>`. Here: that of the example is none of a code exchange either, because it has
/// no nonce.
#[test]
fn trap_3_the_id_token_of_a_refresh_is_none_of_a_code_exchange() {
    let (issuer, entry) = (TestIssuer::new("k"), keycloak(LEVELS));
    let token = issuer.sign_example(&example("keycloak-id_token-after-refresh.json"));
    let expected = ExpectedIdToken { provider: &entry, nonce: "9117c8d75cc04b09" };
    let error = issuer.verify(&token, &expected, NOW).map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "ID token: `nonce`: expected the nonce of this sign-in");
}

#[test]
fn trap_4_a_level_that_was_asked_for_with_its_age_and_met_counts() {
    let entry = keycloak(LEVELS);
    let factor = judge(&entry, "mfa", 60, &example("keycloak-id_token-mfa.json")).unwrap();
    assert_eq!((factor.level(), factor.acr()), ("mfa", Some("mfa")));
    assert_eq!(factor.amr(), ["pwd", "otp"]);
    assert_eq!(factor.auth_time(), at(1_795_673_719));
}

#[test]
fn trap_5_a_realm_as_it_comes_confirms_no_level() {
    let entry = keycloak(LEVELS);
    for acr in ["0", "1"] {
        let mut token = answer(json!(acr), Value::Null, 1);
        token["payload"].as_object_mut().unwrap().remove("amr");
        for level in ["mfa", "pwd"] {
            let error = judge(&entry, level, 60, &token).unwrap_err();
            assert!(error.contains(&format!("got `{acr}`")), "{error}");
        }
    }
    let mut silent = answer(Value::Null, json!([]), 1);
    silent["payload"].as_object_mut().unwrap().remove("acr");
    assert!(judge(&entry, "mfa", 60, &silent).unwrap_err().contains("got nothing"));
}

#[test]
fn trap_6_the_methods_are_counted_by_their_names_there() {
    let entry = keycloak(LEVELS);
    // `mfa` is no method of Keycloak, so a level that counts it is never reached, and one that counts `otp` is.
    let counts_mfa = keycloak(
        "algorithms = ['ES256']\nlevels.mfa = { acr_values = ['mfa'], counts = { amr = ['mfa'] } }",
    );
    let token = example("keycloak-id_token-mfa.json");
    assert!(judge(&counts_mfa, "mfa", 60, &token).is_err());
    assert!(judge(&entry, "mfa", 60, &token).is_ok());
    // Nor does a text that holds the word.
    let error =
        judge(&entry, "mfa", 60, &answer(json!("mfa"), json!(["not-otp otp"]), 1)).unwrap_err();
    assert!(error.contains("`amr`: expected"), "{error}");
}

/// Trap 7: the device request ignores `acr_values`. This crate has no device flow at a provider; and the ID token of one is
/// none of a code exchange, because it has no nonce.
#[test]
fn trap_7_a_device_flow_confirms_nothing() {
    let issuer = TestIssuer::new("k");
    let entry = provider("http://127.0.0.1:18080/realms/corp", "breakglass-cli", LEVELS);
    let token = issuer.sign_example(&example("keycloak-device-id_token.json"));
    let expected = ExpectedIdToken { provider: &entry, nonce: "" };
    let error = issuer.verify(&token, &expected, 1_795_673_790).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("`nonce`: expected"), "{error}");
}

#[test]
fn what_is_answered_is_shown_without_what_steers_a_terminal() {
    let entry = keycloak(LEVELS);
    let acr = format!("\u{1b}[2J\u{202e}{}", "x".repeat(1000));
    let error = judge(&entry, "mfa", 60, &answer(json!(acr), json!([]), 1)).unwrap_err();
    assert!(error.len() < 400 && !error.contains(['\u{1b}', '\u{202e}']), "{error:?}");
}

#[test]
fn a_factor_keeps_what_a_token_can_carry() {
    let entry = keycloak(LEVELS);
    let long = "x".repeat(257);
    let any_acr = keycloak(&LEVELS.replace("counts = { acr = ['mfa'], ", "counts = { "));
    let factor = judge(&any_acr, "mfa", 60, &answer(json!(long), json!(["otp"]), 1)).unwrap();
    assert_eq!((factor.acr(), factor.amr()), (None, &["otp".to_owned()][..]));
    let amr = |amr: Value| {
        judge(&entry, "mfa", 60, &answer(json!("mfa"), amr, 1)).unwrap().amr().to_vec()
    };
    assert_eq!(amr(json!(["otp", "", "a\nb", "x".repeat(300), "pwd"])), ["otp", "pwd"]);
    assert_eq!(amr(json!(["otp", "x".repeat(200), "y".repeat(200), "pwd"])).len(), 2);
    let many: Vec<String> =
        (0..40).map(|number| format!("m{number}")).chain(["otp".to_owned()]).collect();
    assert_eq!(amr(json!(many)).len(), 16);
}
