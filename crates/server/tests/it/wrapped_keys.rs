//! Signing keys that are wrapped by a key from another file.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use breakglass_server::clock::Moment;
use breakglass_server::config::KeyRingSettings;
use breakglass_server::issuer::{KeyDirectory, KeyError, Rings};
use breakglass_server::random::Randomness;
use breakglass_testing::service::{START, Service, config};

const KEY: &str = "0123456789abcdef0123456789abcdef\n";

fn write_key(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

fn issuer(keys: &KeyDirectory, wrapping: Option<&Path>) -> Result<(), KeyError> {
    let default = KeyRingSettings::in_folder(keys.path());
    let default = KeyRingSettings { wrapped_by: wrapping.map(Path::to_owned), ..default };
    Rings::read((default, Vec::new())).map(drop)
}

/// In both directions.
#[tokio::test]
async fn openssl_reads_a_wrapped_key_and_wraps_one_that_the_service_reads() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let wrapping = at("wrapping");
    write_key(&wrapping, KEY);
    let plain = KeyDirectory::new(&at("keys"));
    let wrapped = plain.clone().wrapped_by(Some(&at("wrapping")));
    wrapped.add(Moment::from_seconds(START), &Randomness::from_seed(1)).unwrap();
    let name = wrapped.names().unwrap().remove(0);
    let file = at("keys").join(name.to_string());
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"), "{text}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    issuer(&wrapped, Some(&wrapping)).unwrap();

    let pass = |option: &str| [option.to_owned(), format!("file:{}", at("wrapping").display())];
    let mut openssl = Command::new("openssl");
    openssl.args(["pkey", "-in"]).arg(&file).args(pass("-passin")).arg("-out").arg(at("plain.pem"));
    assert!(openssl.status().unwrap().success());
    fs::copy(at("plain.pem"), &file).unwrap();
    assert!(!wrapped.is_wrapped(&name).unwrap());
    // A plain one goes on working, with a wrapping key and without.
    issuer(&wrapped, Some(&wrapping)).unwrap();
    issuer(&plain, None).unwrap();
    let mut openssl = Command::new("openssl");
    openssl.args(["pkcs8", "-topk8", "-v2", "aes-256-cbc", "-scrypt", "-in"]).arg(at("plain.pem"));
    assert!(openssl.args(pass("-passout")).arg("-out").arg(&file).status().unwrap().success());
    assert!(wrapped.is_wrapped(&name).unwrap());
    issuer(&wrapped, Some(&wrapping)).unwrap();
}

#[test]
fn a_wrapped_key_is_none_without_the_key_that_wrapped_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let wrapping = at("wrapping");
    let plain = KeyDirectory::new(&at("keys"));
    let wrapped = plain.clone().wrapped_by(Some(&wrapping));
    let add = || wrapped.add(Moment::from_seconds(START), &Randomness::from_seed(1));
    // Nothing is written that could not be wrapped.
    assert!(matches!(add(), Err(KeyError::Io(path, _)) if path == wrapping));
    assert_eq!(plain.names().unwrap(), []);
    write_key(&wrapping, KEY);
    add().unwrap();
    assert!(matches!(issuer(&plain, None), Err(KeyError::Wrapped(_))));
    write_key(&wrapping, &KEY.replace('0', "1"));
    assert!(matches!(issuer(&wrapped, Some(&wrapping)), Err(KeyError::OtherWrapping { .. })));
    for wrong in ["", "short", "0123456789abcdef\n0123456789abcdef", &"x".repeat(4097)] {
        write_key(&wrapping, wrong);
        assert!(matches!(issuer(&wrapped, Some(&wrapping)), Err(KeyError::Wrapping(_))), "{wrong}");
    }
    write_key(&wrapping, KEY);
    fs::set_permissions(&wrapping, Permissions::from_mode(0o644)).unwrap();
    assert!(
        matches!(issuer(&wrapped, Some(&wrapping)), Err(KeyError::Exposed(path)) if path == wrapping)
    );
    fs::remove_file(&wrapping).unwrap();
    assert!(
        matches!(issuer(&wrapped, Some(&wrapping)), Err(KeyError::Io(path, _)) if path == wrapping)
    );
}

/// A service that has its keys goes on with them where the wrapping key is gone.
#[tokio::test]
async fn a_service_mints_with_a_wrapped_key_also_where_the_wrapping_key_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let wrapping = folder.path().join("wrapping");
    write_key(&wrapping, KEY);
    let text =
        format!("{}\n[signing_keys]\nwrapped_by = \"{}\"\n", config(&folder), wrapping.display());
    let service = Service::start_with(folder, &text, START).await;
    let (id, _) = service.approved().await;
    let token = service.token(&id).await;
    fs::remove_file(&wrapping).unwrap();
    service.app.issuer().default_ring().reload().unwrap_err();
    assert_eq!(service.introspect(&token).await["active"], true);
    let (id, _) = service.approved().await;
    assert_eq!(service.introspect(&service.token(&id).await).await["active"], true);
}
