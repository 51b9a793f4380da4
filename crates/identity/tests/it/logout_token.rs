//! Logout tokens.

use breakglass_identity::ExpectedLogoutToken;
use serde_json::{Value, json};

use crate::support::{TestIssuer, example, keycloak, provider};

const NOW: u64 = 1_795_673_790;
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

#[test]
fn those_of_real_providers_are_read() {
    let issuer = TestIssuer::new("k");
    let entry = keycloak("algorithms = ['ES256']");
    let token = issuer.sign_example(&example("keycloak-logout_token.json"));
    let read = issuer.verify(&token, &ExpectedLogoutToken { provider: &entry }, NOW).unwrap();
    assert_eq!(read.sub.as_deref(), Some("205ea049-48e3-4401-b32e-43eff045bb2a"));
    assert_eq!(read.sid.as_deref(), Some("esPvDOBzBD3RzRsbgyysL39T"));
    assert_eq!(read.remember_until.seconds(), 1_795_673_905 + 60);
    // Hydra's names the session alone, and has no end: it counts for five minutes.
    let client = "35578194-fe8b-44d6-92a2-ea12d69de848";
    let entry = provider("http://127.0.0.1:18500/", client, "algorithms = ['ES256']");
    let token = issuer.sign_example(&example("hydra-logout_token.json"));
    let judged = |now| issuer.verify(&token, &ExpectedLogoutToken { provider: &entry }, now);
    let read = judged(1_795_674_593).unwrap();
    assert_eq!((read.sub.as_deref(), read.sid.is_some()), (None, true));
    assert!(judged(1_795_674_593 + 359).is_ok());
    let late = judged(1_795_674_593 + 360).unwrap_err().to_string();
    assert!(late.contains("`exp`: expected a time that has not passed"), "{late}");
}

#[test]
fn each_claim_is_judged() {
    let issuer = TestIssuer::new("k");
    let entry = keycloak("algorithms = ['ES256']");
    let whole = example("keycloak-logout_token.json");
    let judged = |change: &dyn Fn(&mut Value)| {
        let mut token = whole.clone();
        change(&mut token);
        let token = issuer.sign_example(&token);
        let verified = issuer.verify(&token, &ExpectedLogoutToken { provider: &entry }, NOW);
        verified.map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(judged(&|_| ()), Ok(()));
    assert_eq!(
        judged(&|token| drop(token["payload"].as_object_mut().unwrap().remove("sub"))),
        Ok(())
    );
    let set = |name: &'static str, value: Value| {
        move |token: &mut Value| token["payload"][name] = value.clone()
    };
    let neither = |token: &mut Value| {
        let claims = token["payload"].as_object_mut().unwrap();
        claims.remove("sub");
        claims.remove("sid");
    };
    for (change, said) in [
        (Box::new(set("nonce", json!("n"))) as Box<dyn Fn(&mut Value)>, "an ID token"),
        (Box::new(set("events", json!({"other": {}}))), "`events`: expected"),
        (Box::new(set("events", json!({EVENT: true}))), "`events`: expected"),
        (Box::new(set("iss", json!("https://evil.example"))), "`iss`: expected"),
        (Box::new(set("aud", json!("other"))), "`aud`: expected"),
        (Box::new(set("typ", json!("ID"))), "`typ`: expected `Logout`"),
        (Box::new(set("jti", json!(""))), "`jti`: expected"),
        (Box::new(neither), "`sub`, `sid` or both"),
        (Box::new(|token: &mut Value| token["header"]["typ"] = "at+jwt".into()), "another kind"),
    ] {
        let error = judged(&*change).unwrap_err();
        assert!(error.contains(said), "{said}: {error}");
    }
}
