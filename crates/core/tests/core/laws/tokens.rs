//! Tokens: only what an issuer signed is read, whole, and nothing panics on anything else.

use breakglass_core::config::Config;
use breakglass_core::token::{KeyRing, UnverifiedToken, VerifiedToken, verify};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use crate::support::{Key, claims, config, parse, with};

fn verified(config: &Config, token: &[u8]) -> Option<VerifiedToken> {
    let token = UnverifiedToken::parse(token, 64 * 1024).ok()?;
    verify(&token, config, &KeyRing::new(config)).ok()
}

proptest! {
    #[test]
    fn a_signed_token_says_what_was_signed(sub in "[^\\pC]{1,40}", jti in "[!-~]{1,60}", lives in 1..3600_u64) {
        let config = parse(&config()).unwrap();
        let iat = claims()["iat"].as_u64().unwrap();
        let claims = with(claims(), json!({"sub": sub, "jti": jti, "exp": iat + lives}));
        let token = verified(&config, Key::new(1).sign(&claims).as_bytes()).unwrap();
        prop_assert_eq!(&token.claims().sub, &sub);
        prop_assert_eq!(&token.claims().jti, &jti);
        prop_assert_eq!(token.lifetime().as_secs(), lives);
    }

    /// Another byte in place of any of its bytes, one taken away, one added: it is void.
    #[test]
    fn a_token_of_which_any_byte_is_changed_is_void(at: prop::sample::Index, byte: u8, change in 0..3_u8) {
        let config = parse(&config()).unwrap();
        let token = Key::new(1).sign(&claims()).into_bytes();
        let place = at.index(token.len());
        let mut changed = token.clone();
        match change {
            0 => changed[place] = byte,
            1 => drop(changed.remove(place)),
            _ => changed.insert(place, byte),
        }
        prop_assert_eq!(verified(&config, &changed).is_some(), changed == token);
    }

    #[test]
    fn no_token_panics(
        bytes in vec(any::<u8>(), 0..200), parts in vec("[A-Za-z0-9_-]{0,40}", 0..5),
        header in ".{0,60}", payload in ".{0,60}",
    ) {
        let config = parse(&config()).unwrap();
        let own = Key::new(1).sign_parts(&header, payload.as_bytes());
        for token in [&bytes[..], parts.join(".").as_bytes(), own.as_bytes()] {
            prop_assert!(verified(&config, token).is_none());
        }
    }
}
