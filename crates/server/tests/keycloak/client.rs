//! How the service proves who it is to a real provider.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use breakglass_identity::ClientAuthentication;
use breakglass_testing::keycloak::Keycloak;
use rcgen::{KeyPair, PublicKeyData as _};
use serde_json::{Value, json};

use crate::person::{alice, provider_by, sign_in};

pub(crate) fn proves_itself_by_a_key(keycloak: &Keycloak) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.pem");
    let key = KeyPair::generate().unwrap();
    fs::write(&file, key.serialize_pem()).unwrap();
    let point = key.der_bytes();
    let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
    let jwk = json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "key-1", "x": x, "y": y});
    let clients =
        keycloak.admin("GET", "/realms/corp/clients?clientId=breakglass-jwt", &Value::Null);
    let mut client = clients[0].clone();
    client["attributes"]["use.jwks.url"] = "false".into();
    client["attributes"]["use.jwks.string"] = "true".into();
    client["attributes"]["jwks.string"] = json!({"keys": [jwk]}).to_string().into();
    let path = format!("/realms/corp/clients/{}", client["id"].as_str().unwrap());
    keycloak.admin("PUT", &path, &client);
    let by = ClientAuthentication::PrivateKey { file, id: "key-1".to_owned() };
    let provider = provider_by(keycloak, "corp", "breakglass-jwt", by, "");
    let signed_in = sign_in(&provider, &mut alice());
    assert_eq!(signed_in.person.name.as_deref(), Some("Alice Archer"));
}
