//! Signing keys: made private, published, replaced.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use breakglass_approval::clock::Moment;
use breakglass_approval::issuer::{Issuer, KeyDirectory, KeyError};
use breakglass_approval::limits::{CLOCK_SKEW_S, MAX_GRANT_S};
use breakglass_approval::random::Randomness;
use serde_json::Value;
use sha2::{Digest, Sha256};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::service::{START, Service};

fn kids(jwks: &Value) -> Vec<String> {
    let keys = jwks["keys"].as_array().unwrap();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn publishes_the_public_key_and_nothing_of_the_private_one() {
    let service = Service::start().await;
    let jwks = service.get("nobody", "/.well-known/jwks.json").await.ok();
    let key = jwks["keys"][0].as_object().unwrap();
    let mut members: Vec<&str> = key.keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
    assert_eq!((&key["alg"], &key["use"]), (&"ES256".into(), &"sig".into()));
    // RFC 7638 section 3: the members in this order, and nothing else.
    let hashed = format!(
        r#"{{"crv":{},"kty":{},"x":{},"y":{}}}"#,
        key["crv"], key["kty"], key["x"], key["y"]
    );
    let thumbprint = URL_SAFE_NO_PAD.encode(Sha256::digest(hashed));
    assert_eq!(key["kid"], thumbprint);
}

#[tokio::test]
async fn key_files_are_for_their_owner_alone() {
    let service = Service::start().await;
    let keys = service.directory.path().join("keys");
    assert_eq!(mode(&keys), 0o700);
    let file = fs::read_dir(&keys).unwrap().next().unwrap().unwrap().path();
    assert_eq!(mode(&file), 0o600);
    fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(service.app.issuer().reload(), Err(KeyError::Exposed(path)) if path == file));
    assert_eq!(kids(&service.app.issuer().jwks(Moment::from_seconds(START))).len(), 1);
}

#[tokio::test]
async fn a_new_key_signs_and_the_old_one_stays_until_its_last_token_is_over() {
    let service = Service::start().await;
    let (id, _) = service.approved().await;
    let old = service.token(&id).await;
    let issuer = service.app.issuer();
    let now = Moment::from_seconds(START);
    let before = kids(&issuer.jwks(now));

    // Even in the same second, the key that was made last is the newest.
    let kid = issuer.directory().add(now, &Randomness::from_seed(2)).unwrap();
    issuer.reload().unwrap();
    assert_eq!(kids(&issuer.jwks(now)), [before[0].clone(), kid.clone()]);
    let new = service.token(&id).await;
    let header = URL_SAFE_NO_PAD.decode(new.split('.').next().unwrap()).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&header).unwrap()["kid"], kid);
    assert_eq!(service.introspect(&old).await["active"], true);
    assert_eq!(service.introspect(&new).await["active"], true);

    let over = START + 1 + MAX_GRANT_S + CLOCK_SKEW_S;
    assert_eq!(kids(&issuer.jwks(Moment::from_seconds(over - 1))).len(), 2);
    assert_eq!(kids(&issuer.jwks(Moment::from_seconds(over))), [kid]);
    assert!(issuer.read(&old, Moment::from_seconds(over)).is_none());
}

#[test]
fn says_which_key_file_cannot_be_used() {
    let directory = tempfile::tempdir().unwrap();
    let keys = KeyDirectory::new(directory.path());
    let issuer = || Issuer::new("https://approvals.test", keys.clone()).map(|_| ());
    assert!(matches!(issuer(), Err(KeyError::None(path)) if path == directory.path()));
    let kid = keys.add(Moment::from_seconds(1), &Randomness::from_seed(1)).unwrap();
    assert!(issuer().is_ok());
    let good = directory.path().join(format!("1-{kid}.pem"));
    let renamed = directory.path().join("2-other.pem");
    fs::rename(&good, &renamed).unwrap();
    assert!(matches!(issuer(), Err(KeyError::Invalid(path)) if path == renamed));
    fs::rename(&renamed, &good).unwrap();
    fs::write(directory.path().join("notes.txt"), "not a key").unwrap();
    assert!(issuer().is_ok());
    fs::write(&good, "not a key").unwrap();
    assert!(matches!(issuer(), Err(KeyError::Invalid(path)) if path == good));
}
