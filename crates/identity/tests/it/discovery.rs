//! What a discovery document must be, and what it may be.

use breakglass_identity::{Discovery, MAX_DISCOVERY_BYTES};
use serde_json::{Value, json};

use crate::support::{bytes, example, keycloak, provider};

fn read(document: &Value) -> Result<Discovery, String> {
    Discovery::read(&keycloak(""), document.to_string().as_bytes())
        .map_err(|error| error.to_string())
}

#[test]
fn real_documents_are_read() {
    let read = |file: &str, issuer: &str| {
        Discovery::read(&provider(issuer, "breakglass", ""), &bytes(file))
    };
    let keycloak = read("keycloak-discovery.json", "http://127.0.0.1:18080/realms/corp").unwrap();
    assert!(keycloak.sends_issuer && keycloak.takes_basic);
    assert!(keycloak.end_session_endpoint.is_some() && keycloak.userinfo_endpoint.is_some());
    let hydra = read("hydra-discovery.json", "http://127.0.0.1:18500/").unwrap();
    assert!(!hydra.sends_issuer && hydra.takes_basic);
    assert_eq!(hydra.token_endpoint.as_str(), "http://127.0.0.1:18500/oauth2/token");
    let zitadel = read("zitadel-lib-discovery.json", "http://localhost:18400/").unwrap();
    assert_eq!(zitadel.jwks_uri.as_str(), "http://localhost:18400/keys");
    let node = read("node-oidc-provider-discovery.json", "http://127.0.0.1:18200").unwrap();
    assert!(node.sends_issuer);
    // A slash more or less is another issuer.
    let error = read("hydra-discovery.json", "http://127.0.0.1:18500").unwrap_err().to_string();
    assert!(
        error.contains("issuer: expected `http://127.0.0.1:18500`, got `http://127.0.0.1:18500/`"),
        "{error}"
    );
}

#[test]
fn is_strict_about_where_codes_and_secrets_go() {
    let whole = example("keycloak-discovery.json");
    let changed = |member: &str, value: Value| {
        let mut document = whole.clone();
        document[member] = value;
        document
    };
    for (document, said) in [
        (changed("issuer", json!("http://127.0.0.1:18080/realms/evil")), "issuer: expected"),
        (changed("issuer", json!(["http://127.0.0.1:18080/realms/corp"])), "issuer: expected"),
        (
            changed("token_endpoint", json!("http://evil.example/token")),
            "token_endpoint: expected `https",
        ),
        (
            changed("token_endpoint", json!("http://127.0.0.1.evil.example/")),
            "token_endpoint: expected",
        ),
        (
            changed("token_endpoint", json!("https://user:pw@id.example/")),
            "token_endpoint: expected",
        ),
        (changed("token_endpoint", json!("file:///etc/passwd")), "token_endpoint: expected"),
        (
            changed("authorization_endpoint", json!("javascript:alert(1)")),
            "authorization_endpoint: expected",
        ),
        (changed("jwks_uri", json!(7)), "jwks_uri: expected a URL"),
        (
            changed("userinfo_endpoint", json!("http://evil.example/")),
            "userinfo_endpoint: expected",
        ),
        (changed("response_types_supported", json!(["id_token"])), "expected `code`"),
        (changed("code_challenge_methods_supported", json!(["plain"])), "expected `S256`"),
        (
            changed("id_token_signing_alg_values_supported", json!(["HS256"])),
            "expected one of this",
        ),
        (json!([]), "authorization_endpoint: is required"),
        (json!({}), "jwks_uri: is required"),
    ] {
        let error = read(&document).unwrap_err();
        assert!(error.contains(said), "{said}: {error}");
    }
    // All that is wrong is said, and what steers a terminal is not.
    let error = read(&json!({"issuer": "\u{1b}[2J", "token_endpoint": "ftp://x"})).unwrap_err();
    for said in ["issuer: expected", "token_endpoint: expected", "jwks_uri: is required"] {
        assert!(error.contains(said), "{error}");
    }
    assert!(!error.contains('\u{1b}'), "{error:?}");
}

#[test]
fn is_bounded_and_lenient_about_the_rest() {
    let mut document = example("keycloak-discovery.json");
    document["unknown"] = json!({"a": [1, null]});
    document["mtls_endpoint_aliases"] = json!("nonsense");
    document["token_endpoint_auth_methods_supported"] = json!(["client_secret_post"]);
    document.as_object_mut().unwrap().remove("code_challenge_methods_supported");
    let read_document = read(&document).unwrap();
    assert!(!read_document.takes_basic);
    assert_eq!(read_document.mtls_token_endpoint, read_document.token_endpoint);
    document["unknown"] = json!("x".repeat(MAX_DISCOVERY_BYTES));
    assert!(read(&document).unwrap_err().contains("expected at most 65536 bytes"));
    let twice = br#"{"issuer":"a","issuer":"b"}"#;
    assert!(Discovery::read(&keycloak(""), twice).unwrap_err().to_string().contains("twice"));
}
