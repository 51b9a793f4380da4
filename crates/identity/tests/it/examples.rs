//! Every document in `tests/examples` is read as it should be.

use std::collections::BTreeSet;
use std::fs;

use breakglass_identity::{
    Callback, ExpectedIdToken, Groups, Person, ProviderError, TokenAnswer, Userinfo,
};
use serde_json::Value;

use crate::support::{TestIssuer, body, bytes, example, folder, provider};

/// Read by tests of what they are about: `discovery.rs`, `keys.rs`, `logout_token.rs`, `id_token.rs`, `factor.rs`,
/// `workload.rs`.
const ELSEWHERE: [&str; 16] = [
    "README.md",
    "hydra-discovery.json",
    "hydra-jwks.json",
    "hydra-logout_token.json",
    "keycloak-device-id_token.json",
    "keycloak-discovery.json",
    "keycloak-id_token-after-refresh.json",
    "keycloak-jwks-many.json",
    "keycloak-jwks.json",
    "keycloak-logout_token.json",
    "node-oidc-provider-discovery.json",
    "node-oidc-provider-jwks.json",
    "spire-bundle.json",
    "spire-jwt-svid.json",
    "zitadel-lib-discovery.json",
    "zitadel-lib-jwks.json",
];

/// Not for a client of sign-in: tokens that are for the provider itself, the first answers of a device flow and of
/// introspection, which this crate does not ask for, and the realm that `crates/server/tests/keycloak` runs.
const NOT_OURS: [&str; 6] = [
    "keycloak-access_token-pwd.json",
    "keycloak-device-authorization.json",
    "keycloak-introspection.json",
    "keycloak-realm-corp.json",
    "keycloak-refresh_token-pwd.json",
    "node-oidc-provider-device.json",
];

/// Answers of token endpoints that are refusals, and what a person is told.
const REFUSALS: [(&str, &str); 15] = [
    ("hydra-error-bad-secret.json", "check `client_id`"),
    ("hydra-error-code-replay.json", "not valid any more"),
    ("hydra-error-refresh-reuse.json", "not valid any more"),
    ("keycloak-device-bad.json", "not valid any more"),
    ("keycloak-device-denied.json", "declined the sign-in"),
    ("keycloak-device-pending.json", "has not finished yet"),
    ("keycloak-device-slow_down.json", "has not finished yet"),
    ("keycloak-error-bad-code.json", "not valid any more"),
    ("keycloak-error-bad-grant.json", "does not take this kind of request"),
    ("keycloak-error-bad-refresh.json", "not valid any more"),
    ("keycloak-error-bad-secret.json", "check `client_id`"),
    ("keycloak-error-code-replay.json", "not valid any more"),
    ("keycloak-error-refresh-user-disabled.json", "\"User disabled\""),
    ("keycloak-error-unknown-client.json", "check `client_id`"),
    ("keycloak-error-userinfo.json", "expected a status 200, got 401"),
];

/// Answers of token endpoints with tokens.
const TOKENS: [&str; 3] = [
    "keycloak-device-token.json",
    "keycloak-refresh-response.json",
    "keycloak-token-response-pwd.json",
];

/// ID tokens of a code exchange: file, issuer, client, and the groups that it says.
const ID_TOKENS: [(&str, &str, &str, Option<&str>); 5] = [
    (
        "hydra-id_token.json",
        "http://127.0.0.1:18500/",
        "35578194-fe8b-44d6-92a2-ea12d69de848",
        Some("sre"),
    ),
    (
        "keycloak-id_token-mfa.json",
        "http://127.0.0.1:18080/realms/corp",
        "breakglass",
        Some("/sre/payments"),
    ),
    (
        "keycloak-id_token-pwd.json",
        "http://127.0.0.1:18080/realms/corp",
        "breakglass",
        Some("/sre/payments"),
    ),
    ("node-oidc-provider-id_token.json", "http://127.0.0.1:18200", "breakglass", None),
    ("zitadel-lib-id_token.json", "http://localhost:18400/", "web", None),
];

#[test]
fn none_is_left_out() {
    let mut read: BTreeSet<&str> = ELSEWHERE.into_iter().chain(NOT_OURS).chain(TOKENS).collect();
    read.extend(REFUSALS.map(|(file, _)| file));
    read.extend(ID_TOKENS.map(|(file, ..)| file));
    read.extend([
        "keycloak-authz-error-prompt-none.json",
        "keycloak-userinfo.json",
        "keycloak-userinfo-after-replay.json",
    ]);
    let there = fs::read_dir(folder()).unwrap();
    let there: BTreeSet<String> =
        there.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(there, read.into_iter().map(str::to_owned).collect());
}

fn answer(file: &str) -> Result<TokenAnswer, ProviderError> {
    let status = example(file)["status"].as_u64().unwrap();
    TokenAnswer::read(u16::try_from(status).unwrap(), &body(file))
}

#[test]
fn answers_of_token_endpoints() {
    for (file, said) in REFUSALS {
        let error = answer(file).unwrap_err().to_string();
        assert!(error.contains(said), "{file}: {error}");
    }
    // What is redacted in them is no token, so one is put in its place.
    for file in TOKENS {
        let mut body = example(file)["body"].clone();
        for name in ["access_token", "refresh_token", "id_token"] {
            assert!(body[name].as_str().unwrap().starts_with("<redacted:JWS"), "{file}");
            body[name] = "a.b.c".into();
        }
        assert!(TokenAnswer::read(200, body.to_string().as_bytes()).is_ok(), "{file}");
        body["expires_in"] = "120".into();
        assert!(TokenAnswer::read(200, body.to_string().as_bytes()).is_ok(), "{file}");
    }
}

#[test]
fn id_tokens() {
    let issuer = TestIssuer::new("k");
    for (file, iss, client, group) in ID_TOKENS {
        let token = example(file);
        let entry = provider(iss, client, "algorithms = ['ES256']");
        let nonce = token["payload"]["nonce"].as_str().unwrap();
        let expected = ExpectedIdToken { provider: &entry, nonce };
        let now = token["payload"]["iat"].as_u64().unwrap();
        let verified = issuer.verify(&issuer.sign_example(&token), &expected, now).unwrap();
        let person = Person::read(&entry, verified.identity(), None).unwrap();
        assert_eq!(Value::from(person.subject), token["payload"]["sub"], "{file}");
        let groups = Groups::read(&entry, verified.identity(), None);
        match group {
            Some(group) => assert_eq!(groups.contains(group), Some(true), "{file}"),
            None => assert!(matches!(groups, Groups::Unknown(_)), "{file}: {groups:?}"),
        }
        // They are RS256, as they came: of that a test runs in `crates/server/tests/keycloak`.
        assert_eq!(token["header"]["alg"], "RS256");
    }
}

#[test]
fn userinfo_and_a_callback() {
    let sub = "205ea049-48e3-4401-b32e-43eff045bb2a";
    assert!(Userinfo::read(&body("keycloak-userinfo.json"), sub).is_ok());
    assert!(Userinfo::read(&body("keycloak-userinfo-after-replay.json"), sub).is_err());
    let error: Value =
        serde_json::from_slice(&bytes("keycloak-authz-error-prompt-none.json")).unwrap();
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in error.as_object().unwrap() {
        query.append_pair(name, value.as_str().unwrap());
    }
    let callback = Callback::from_query(&query.finish()).unwrap();
    assert_eq!(callback.state, "2d8db922656e0f00");
    assert!(format!("{callback:?}").contains("login_required"));
}
