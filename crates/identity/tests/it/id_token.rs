//! ID tokens: what one must be, claim by claim.

use breakglass_identity::{ExpectedIdToken, ExpectedRefreshedIdToken, MAX_ID_TOKEN_BYTES};
use serde_json::{Value, json};

use crate::support::{TestIssuer, keycloak};

const NOW: u64 = 1_795_673_720;
const NONCE: &str = "a798fddbbcc68466";
const ES256: &str = "algorithms = ['ES256']\ntrusted_audiences = ['other']";

fn claims() -> Value {
    let mut claims = crate::support::example("keycloak-id_token-pwd.json")["payload"].clone();
    claims["iat"] = json!(NOW - 600);
    claims
}

/// What is said of an ID token with these claims.
fn judged(issuer: &TestIssuer, token: &str) -> Result<(), String> {
    let entry = keycloak(&format!("{ES256}\nrequired_claims = {{ email_verified = ['true'] }}"));
    let expected = ExpectedIdToken { provider: &entry, nonce: NONCE };
    issuer.verify(token, &expected, NOW).map(|_| ()).map_err(|error| error.to_string())
}

#[test]
fn each_claim_is_judged() {
    let issuer = TestIssuer::new("k");
    assert_eq!(judged(&issuer, &issuer.sign(&claims())), Ok(()));
    let gone = Value::Null;
    for (claim, value, said) in [
        ("iss", json!("http://127.0.0.1:18080/realms/evil"), "`iss`: expected"),
        ("iss", json!("http://127.0.0.1:18080/realms/corp/"), "`iss`: expected"),
        ("iss", gone.clone(), "`iss`: expected"),
        ("aud", json!("breakglass-cli"), "`aud`: expected `breakglass`"),
        ("aud", json!([]), "`aud`: expected a text"),
        ("aud", json!(["breakglass", 7]), "`aud`: expected a text"),
        ("aud", json!(["breakglass", "evil"]), "no audience but"),
        ("aud", gone.clone(), "`aud`: expected"),
        ("azp", json!("breakglass-cli"), "`azp`: expected `client_id`"),
        ("nonce", json!("another"), "`nonce`: expected the nonce of this sign-in"),
        ("nonce", gone.clone(), "`nonce`: expected"),
        ("exp", json!(NOW - 61), "`exp`: expected a time that has not passed"),
        ("exp", json!("soon"), "`exp`: expected seconds since 1970"),
        ("exp", json!(1_795_673_718_000_u64), "`exp`: expected seconds since 1970"),
        ("exp", json!(-1), "`exp`: expected seconds since 1970"),
        ("exp", gone.clone(), "`exp`: expected"),
        ("iat", json!(NOW + 61), "the two clocks differ"),
        ("iat", gone.clone(), "`iat`: expected"),
        ("nbf", json!(NOW + 61), "the two clocks differ"),
        ("sub", gone.clone(), "`sub`: expected"),
        ("sub", json!(""), "`sub`: expected"),
        ("sub", json!(7), "`sub`: expected"),
        ("sub", json!("al\u{200b}ice"), "`sub`: expected"),
        ("sub", json!("a".repeat(257)), "`sub`: expected"),
        ("typ", json!("Bearer"), "`typ`: expected `ID`"),
        (
            "events",
            json!({"http://schemas.openid.net/event/backchannel-logout": {}}),
            "a logout token",
        ),
        ("email_verified", json!(false), "`email_verified`: expected one of the values"),
        ("email_verified", gone.clone(), "`email_verified`: expected one of the values"),
    ] {
        let mut changed = claims();
        match value.is_null() {
            true => drop(changed.as_object_mut().unwrap().remove(claim)),
            false => changed[claim] = value.clone(),
        }
        let error = judged(&issuer, &issuer.sign(&changed)).unwrap_err();
        assert!(error.contains(said), "{claim} = {value}: {error}");
    }
}

#[test]
fn what_providers_write_in_several_ways_is_read() {
    let issuer = TestIssuer::new("k");
    for (claim, value) in [
        ("aud", json!(["breakglass"])),
        ("aud", json!(["other", "breakglass"])),
        ("exp", json!(NOW - 59)),
        ("iat", json!(NOW as f64 + 0.5)),
        ("iat", json!(NOW + 60)),
        ("email_verified", json!("true")),
        ("typ", json!("ID")),
        ("jti", json!(7)),
        ("acr", json!(1)),
        ("amr", json!({"not": "a list"})),
        ("auth_time", json!("never")),
    ] {
        let mut changed = claims();
        changed[claim] = value.clone();
        assert_eq!(judged(&issuer, &issuer.sign(&changed)), Ok(()), "{claim} = {value}");
    }
    let mut several = claims();
    several["aud"] = json!(["breakglass", "other"]);
    several.as_object_mut().unwrap().remove("azp");
    assert!(judged(&issuer, &issuer.sign(&several)).unwrap_err().contains("`azp`: expected"));
}

#[test]
fn only_the_issuers_signature_by_an_allowed_algorithm_counts() {
    let (issuer, other) = (TestIssuer::new("k"), TestIssuer::new("k"));
    let header = |alg: &str| json!({"alg": alg, "typ": "JWT", "kid": "k"});
    let with = |header: Value| issuer.sign_with(&header, &claims());
    let good = issuer.sign(&claims());
    let (text, signature) = good.rsplit_once('.').unwrap();
    let mut forged = claims();
    forged["sub"] = "mallory".into();
    let forged = other.sign(&forged);
    let (forged_text, _) = forged.rsplit_once('.').unwrap();
    for (token, said) in [
        (forged.clone(), "the signature is not its issuer's"),
        (format!("{forged_text}.{signature}"), "the signature is not its issuer's"),
        (format!("{text}."), "the signature is not its issuer's"),
        (with(header("none")), "signed by `none`"),
        (with(header("HS256")), "signed by `HS256`"),
        (with(header("RS256")), "signed by `RS256`"),
        (with(header("ES512")), "signed by `ES512`"),
        (with(json!({"alg": "ES256", "kid": "other"})), "publishes no key `other`"),
        (with(json!({"alg": "ES256"})), "expected a signed JWT"),
        (
            with(json!({"alg": "ES256", "kid": "k", "jwk": other.jwks()["keys"][0]})),
            "expected a signed JWT",
        ),
        (with(json!({"alg": "ES256", "kid": "k", "crit": ["x"]})), "expected a signed JWT"),
        (with(json!({"alg": "ES256", "kid": "k", "typ": "logout+jwt"})), "that of another kind"),
        (with(json!({"alg": "ES256", "kid": "k", "typ": "at+jwt"})), "that of another kind"),
        (with(json!({"alg": "ES256", "kid": "k", "typ": 7})), "expected a signed JWT"),
        (format!("{good}.x"), "expected a signed JWT"),
        (String::new(), "expected a signed JWT"),
        (
            issuer.sign_text(&header("ES256").to_string(), r#"{"sub":"a","sub":"b"}"#),
            "expected a signed JWT",
        ),
        (issuer.sign_text(&header("ES256").to_string(), "[]"), "expected a signed JWT"),
    ] {
        let error = judged(&issuer, &token).unwrap_err();
        assert!(error.contains(said), "{said}: {error}");
    }
    // `typ` may be absent, as oidc-provider leaves it out.
    assert_eq!(judged(&issuer, &with(json!({"alg": "ES256", "kid": "k"}))), Ok(()));
}

#[test]
fn a_claim_of_a_megabyte_is_refused_before_it_is_read() {
    let issuer = TestIssuer::new("k");
    let mut large = claims();
    large["groups"] = json!(["x".repeat(1024 * 1024)]);
    let error = judged(&issuer, &issuer.sign(&large)).unwrap_err();
    assert_eq!(error, format!("ID token: expected at most {MAX_ID_TOKEN_BYTES} bytes"));
}

#[test]
fn a_refresh_must_be_about_the_same_person() {
    let issuer = TestIssuer::new("k");
    let entry = keycloak(ES256);
    let claims = crate::support::example("keycloak-id_token-after-refresh.json")["payload"].clone();
    let judged = |claims: &Value| {
        let expected = ExpectedRefreshedIdToken {
            provider: &entry,
            nonce: NONCE,
            iss: &entry.issuer,
            sub: "205ea049-48e3-4401-b32e-43eff045bb2a",
        };
        let verified = issuer.verify(&issuer.sign(claims), &expected, NOW);
        verified.map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(judged(&claims), Ok(()));
    // Hydra repeats the nonce, Keycloak does not.
    for (claim, value, said) in [
        ("nonce", json!(NONCE), None),
        ("nonce", json!("another"), Some("`nonce`: expected")),
        ("sub", json!("mallory"), Some("`sub`: expected the person who signed in")),
        ("aud", json!("breakglass-cli"), Some("`aud`: expected")),
    ] {
        let mut changed = claims.clone();
        changed[claim] = value;
        match (judged(&changed), said) {
            (Ok(()), None) => {}
            (Err(error), Some(said)) => assert!(error.contains(said), "{error}"),
            (judged, said) => panic!("{claim}: {judged:?}, expected {said:?}"),
        }
    }
}
