//! The second factor, and the ways in which Keycloak's answers fool a naive client.

use std::thread;
use std::time::Duration;

use breakglass_identity::{Groups, SignInRequest};
use breakglass_testing::keycloak::{Browser, Keycloak};
use serde_json::{Value, json};

use crate::person::{alice, finish, now, plain, provider, sign_in, visit};

fn mfa(max_age: u64) -> SignInRequest<'static> {
    SignInRequest { level: Some(("mfa", Duration::from_secs(max_age))), ..plain() }
}

/// Waits until an authentication of now is older than `max_age=1` allows.
fn let_it_grow_old() {
    thread::sleep(Duration::from_millis(2_100));
}

pub(crate) fn traps_of_a_session_that_is_there(keycloak: &Keycloak) {
    let provider = provider(keycloak, "corp", "");
    let mut browser = alice();
    // Both are asked for and confirmed; `amr` is `[pwd, otp]` and never `mfa` (trap 6).
    let (page, begun) = visit(&provider, &mut browser, &mfa(60), &[]);
    assert_eq!(page.asked, ["password", "otp"]);
    let signed_in = finish(&provider, &page, begun).unwrap();
    let factor = signed_in.factor.unwrap();
    assert_eq!((factor.acr(), factor.amr().len()), (Some("mfa"), 2));
    assert!(factor.amr().iter().all(|method| method != "mfa"));
    let_it_grow_old();
    // Trap 1: `max_age` alone asks for the password alone.
    let (page, begun) = visit(&provider, &mut browser, &mfa(1), &["acr_values"]);
    assert_eq!(page.asked, ["password"]);
    let error = finish(&provider, &page, begun).unwrap_err().to_string();
    assert!(error.ends_with("`acr`: expected `mfa`, got `pwd`"), "{error}");
    // Trap 2: `acr_values` alone asks for nothing, and is answered with `acr = "mfa"`; so it is with a `max_age` that the
    // fresh password meets, because Keycloak keeps the level for as long as its flow says (300 s here).
    for left_out in [vec!["max_age"], vec![]] {
        let (page, begun) = visit(&provider, &mut browser, &mfa(60), &left_out);
        assert!(page.asked.is_empty(), "without {left_out:?}: {page:?}");
        let error = finish(&provider, &page, begun).unwrap_err().to_string();
        assert!(error.ends_with("`amr`: expected `otp`, got `pwd`"), "{error}");
    }
    // With `prompt = "login"` it asks for both, even if both were asked for a moment before.
    let anew = SignInRequest { level: Some(("anew", Duration::from_secs(60))), ..plain() };
    let (page, begun) = visit(&provider, &mut browser, &anew, &[]);
    println!(
        "prompt=login asked for {:?}: {:?}",
        page.asked,
        finish(&provider, &page, begun).map(|one| one.factor)
    );
    // Trap 4: both together ask for both, and are confirmed.
    let_it_grow_old();
    let (page, begun) = visit(&provider, &mut browser, &mfa(1), &[]);
    assert_eq!(page.asked, ["password", "otp"]);
    let fresh = finish(&provider, &page, begun).unwrap();
    let factor = fresh.factor.unwrap();
    assert!(factor.amr().contains(&"otp".to_owned()) && factor.auth_time() <= now());
    // Trap 3: a refresh says a later `auth_time`, which is not even read.
    let refreshed = provider.refresh(&fresh.session, now()).unwrap();
    assert_eq!(refreshed.groups, Groups::Known(vec!["/sre/payments".to_owned()]));
    // Another person in this browser is no confirmation by the one who has to.
    let another = SignInRequest { person: Some("another"), ..mfa(60) };
    let (page, begun) = visit(&provider, &mut browser, &another, &[]);
    let error = finish(&provider, &page, begun).unwrap_err().to_string();
    assert!(error.contains("another person signed in"), "{error}");
}

/// Trap 5: no levels, no `amr`, no groups; a level that it does not know is ignored.
pub(crate) fn a_realm_as_it_comes(keycloak: &Keycloak) {
    let realm = json!({
        "realm": "plain", "enabled": true, "sslRequired": "none",
        "users": [{
            "username": "carol", "enabled": true, "email": "carol@x", "firstName": "C", "lastName": "C",
            "credentials": [{"type": "password", "value": "carol-pw"}],
        }],
        "clients": [{
            "clientId": "breakglass", "secret": "s3cret-breakglass", "redirectUris": ["http://127.0.0.1:18090/*"],
        }],
    });
    keycloak.admin("POST", "/realms", &realm);
    let provider = provider(keycloak, "plain", "");
    let mut browser = Browser::new("carol", "carol-pw", None);
    let (page, begun) = visit(&provider, &mut browser, &mfa(600), &[]);
    let error = finish(&provider, &page, begun).unwrap_err().to_string();
    assert!(error.ends_with("`acr`: expected `mfa`, got `1`"), "{error}");
    let signed_in = sign_in(&provider, &mut browser);
    assert!(matches!(signed_in.groups, Groups::Unknown(_)), "{:?}", signed_in.groups);
}

/// Trap 8: a person without a second factor is shown the page that enrols one, and so is an attacker with the password. That sign-in does not
/// count, because Keycloak says no `otp` for it, but the next one would: so this is a matter of the realm's configuration,
/// which is documented with the levels.
pub(crate) fn a_factor_that_is_enrolled_on_the_way(keycloak: &Keycloak) {
    let provider = provider(keycloak, "corp", "");
    let mut bob = Browser::new("bob", "bob-pw", None);
    let (page, begun) = visit(&provider, &mut bob, &mfa(60), &[]);
    assert_eq!(page.asked, ["password", "enrol"]);
    let error = finish(&provider, &page, begun).unwrap_err().to_string();
    assert!(error.ends_with("`amr`: expected `otp`, got `pwd`"), "{error}");
    // As the documentation asks for it: without the required action, there is no such page.
    let action = "/realms/corp/authentication/required-actions/CONFIGURE_TOTP";
    let mut required = keycloak.admin("GET", action, &Value::Null);
    required["enabled"] = false.into();
    keycloak.admin("PUT", action, &required);
    let dave = json!({
        "username": "dave", "enabled": true, "email": "dave@x", "firstName": "D", "lastName": "D",
        "credentials": [{"type": "password", "value": "dave-pw"}],
    });
    keycloak.admin("POST", "/realms/corp/users", &dave);
    let (page, _) = visit(&provider, &mut Browser::new("dave", "dave-pw", None), &mfa(60), &[]);
    println!("without the required action: {} {:?} {:?}", page.status, page.asked, page.callback);
    assert!(!page.asked.contains(&"enrol"), "{page:?}");
}
