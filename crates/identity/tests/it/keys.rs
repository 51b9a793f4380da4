//! Key sets: what is skipped, and when they are fetched again.

use std::cell::Cell;

use breakglass_identity::{KeyError, Keys, MAX_KEY_SET_BYTES, ProviderError};
use serde_json::{Value, json};

use crate::support::{TestIssuer, at, body, bytes};

/// Which of these `kid`s are found in a key set.
fn found(body: &[u8], kids: &[&str]) -> Vec<bool> {
    let keys = Keys::new();
    kids.iter().map(|kid| keys.find(kid, at(1), || Ok(body.to_vec())).is_ok()).collect()
}

#[test]
fn the_keys_of_real_providers_are_read_and_others_skipped() {
    let rs256 = "ftK8Yn3UmY-ZK5q6bq09dr-aUFsoT3z_aY9rSk_NRFo";
    let encryption = "wAEC9dL65ZOlYhDcaBsKTgEpWzFMaW7-mfd5K3w-jI0";
    assert_eq!(found(&body("keycloak-jwks.json"), &[encryption, rs256]), [false, true]);
    // ECDH-ES, ES256, Ed25519, Ed448, P-521 (ES512), RS256, RSA-OAEP, RS256.
    let many = [
        ("v0dZ4kJ1VHfLEN2Ek3d91xEGRzXIYBPnjzniyahIShk", false),
        ("AqlYnQ2ebXzOHU-ei5tmkADJ_xSRumN9wlgkj0akt6g", true),
        ("U4bkqYYqbQDWvXq3eOJuj3EzRjFLCK3ryHkqNZ8eViU", true),
        ("sgWS6Afv0Ccll-qwC8ElZxz62SU1NOAvtV8JfrMOPeo", false),
        ("Mr5SGOyStNJV28NlrfRdNojpNQtH9_Rpig9MFTSaBSI", false),
        ("pwEIT_OBQyeavhIioQww52CwM90z9dGkVBJnyx6rQTw", true),
        (encryption, false),
        (rs256, true),
    ];
    let (kids, usable): (Vec<&str>, Vec<bool>) = many.into_iter().unzip();
    assert_eq!(found(&body("keycloak-jwks-many.json"), &kids), usable);
    let hydra = ["67652e63-eed9-4acf-9bf8-9eebdfacd999", "a05ca966-fee4-4aed-8934-29002e3fad2b"];
    assert_eq!(found(&bytes("hydra-jwks.json"), &hydra), [true, true]);
    let node = ["af388594", "04e73381", "bd97a66a"];
    assert_eq!(found(&bytes("node-oidc-provider-jwks.json"), &node), [true; 3]);
    let zitadel = ["bbb62fb2-3e90-42c5-be0a-c6c190085de8"];
    assert_eq!(found(&bytes("zitadel-lib-jwks.json"), &zitadel), [true]);
}

#[test]
fn an_unknown_kid_has_them_fetched_again_and_a_made_up_one_not_often() {
    let (first, second) = (TestIssuer::new("first"), TestIssuer::new("second"));
    let (keys, calls) = (Keys::new(), Cell::new(0));
    let find = |kid: &str, now: u64, published: &Value| {
        keys.find(kid, at(now), || {
            calls.set(calls.get() + 1);
            Ok(published.to_string().into_bytes())
        })
        .is_ok()
    };
    let both = json!({"keys": [first.jwks()["keys"][0], second.jwks()["keys"][0]]});
    assert!(find("first", 100, &first.jwks()) && calls.get() == 1);
    // Rotated: the new one is found at once, the old one still.
    assert!(find("second", 120, &both) && find("first", 121, &both) && calls.get() == 2);
    for made_up in ["a", "b", "c", "d"] {
        assert!(!find(made_up, 121, &both));
    }
    assert_eq!(calls.get(), 2);
    assert!(!find("a", 130, &both) && !find("b", 139, &both));
    assert_eq!(calls.get(), 3);
    // What was taken out is gone within five minutes, and what is no key set takes nothing out.
    assert!(!find("first", 440, &second.jwks()) && find("second", 441, &both));
    assert!(find("second", 800, &json!({"keys": []})) && find("second", 811, &json!("nonsense")));
    assert!(find("second", 822, &json!({"keys": vec![json!({"kty": "EC"}); 65]})));
}

#[test]
fn a_provider_that_is_down_leaves_the_last_good_keys() {
    let issuer = TestIssuer::new("first");
    let keys = Keys::new();
    let down = || Err(ProviderError::Local("down".to_owned()));
    let unavailable = KeyError::Unavailable(ProviderError::Local("down".to_owned()));
    assert_eq!(keys.find("first", at(0), down).err(), Some(unavailable.clone()));
    assert!(keys.find("first", at(10), || Ok(issuer.jwks().to_string().into_bytes())).is_ok());
    assert!(keys.find("first", at(86_000), down).is_ok());
    let unknown = keys.find("other\u{202e}", at(86_100), down).err();
    assert_eq!(unknown, Some(KeyError::Unknown("other\u{fffd}".to_owned())));
    // A key that the provider may have taken out a day ago counts no more.
    assert_eq!(keys.find("first", at(86_500), down).err(), Some(unavailable));
}

#[test]
fn a_key_set_is_bounded() {
    let issuer = TestIssuer::new("first");
    let mut set = issuer.jwks();
    set["more"] = "x".repeat(MAX_KEY_SET_BYTES).into();
    let found = Keys::new().find("first", at(1), || Ok(set.to_string().into_bytes()));
    assert!(found.unwrap_err().to_string().contains("expected at most 262144 bytes"));
}
