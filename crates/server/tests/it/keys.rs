//! Signing keys: made private, published, replaced.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use breakglass_api::jwks::Jwks;
use breakglass_server::clock::Moment;
use breakglass_server::config::KeyRingSettings;
use breakglass_server::issuer::{Issuer, KeyDirectory, KeyError, KeyState, Rings};
use breakglass_server::limits::{CLOCK_SKEW_S, MAX_GRANT_S};
use breakglass_server::random::Randomness;
use serde_json::Value;
use sha2::{Digest, Sha256};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use breakglass_testing::service::{START, Service};

fn kids(jwks: &Jwks) -> Vec<String> {
    jwks.keys.iter().map(|key| key.kid.clone()).collect()
}

/// An issuer with the keys that are there.
fn of(directory: &KeyDirectory) -> Result<Issuer, KeyError> {
    let rings = Rings::read((KeyRingSettings::in_folder(directory.path()), Vec::new()))?;
    Ok(Issuer::new("https://approvals.test", rings))
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
    let files = fs::read_dir(&keys).unwrap().map(|file| file.unwrap().path());
    let (trail, signing): (Vec<PathBuf>, Vec<PathBuf>) =
        files.partition(|file| file.to_string_lossy().contains("/trail-"));
    for file in trail.iter().chain(&signing) {
        assert_eq!(mode(file), 0o600, "{file:?}");
    }
    let file = signing[0].clone();
    fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
    assert!(
        matches!(service.app.issuer().default_ring().reload(), Err(KeyError::Exposed(path)) if path == file)
    );
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
    let kid = issuer.default_ring().directory().add(now, &Randomness::from_seed(2)).unwrap();
    issuer.default_ring().reload().unwrap();
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

#[tokio::test]
async fn a_key_that_waits_is_published_and_the_one_before_it_stays_until_a_day_after_the_switch() {
    let service = Service::start().await;
    let (id, _) = service.approved().await;
    let issuer = service.app.issuer();
    let now = Moment::from_seconds(START);
    let claims = issuer.read(&service.token(&id).await, now).unwrap();
    let signer = || issuer.mint(&claims).unwrap().kid;
    let first = signer();
    let from = START + 600;
    let waits =
        issuer.default_ring().directory().add_from(now, from, &Randomness::from_seed(2)).unwrap();
    issuer.default_ring().reload().unwrap();
    assert_eq!(issuer.default_ring().waits(), Some(waits.clone()));
    let states = |at: i64| -> Vec<KeyState> {
        let list = issuer.default_ring().directory().list(Moment::from_seconds(at)).unwrap();
        list.into_iter().map(|(_, state)| state).collect()
    };
    // However long that takes: the first one signs, and stays.
    for at in [START, from, from + 10 * MAX_GRANT_S] {
        assert_eq!(kids(&issuer.jwks(Moment::from_seconds(at))), [&*first, &waits.kid]);
        assert_eq!(states(at), [KeyState::Signs, KeyState::Waits(from)]);
    }
    assert_eq!(signer(), first);
    // One that signs at once does so before it.
    let at_once = issuer.default_ring().directory().add(now, &Randomness::from_seed(3)).unwrap();
    issuer.default_ring().reload().unwrap();
    assert_eq!(signer(), at_once);
    let switched = from + 1000;
    issuer.default_ring().switch(&waits, switched).unwrap();
    assert_eq!(signer(), waits.kid);
    let over = switched + MAX_GRANT_S + CLOCK_SKEW_S;
    for issuer in [issuer, &of(issuer.default_ring().directory()).unwrap()] {
        assert_eq!(issuer.default_ring().waits(), None);
        let published = |at: i64| kids(&issuer.jwks(Moment::from_seconds(at)));
        assert_eq!(published(over - 1), [&*at_once, &waits.kid]);
        assert_eq!(published(over), std::slice::from_ref(&waits.kid));
    }
    assert_eq!(states(over - 1), [KeyState::Over, KeyState::Published(over), KeyState::Signs]);
    assert_eq!(states(over), [KeyState::Over, KeyState::Over, KeyState::Signs]);
}

#[test]
fn says_which_key_file_cannot_be_used() {
    let directory = tempfile::tempdir().unwrap();
    let keys = KeyDirectory::new(directory.path());
    let issuer = || of(&keys).map(|_| ());
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

fn signer(issuer: &Issuer) -> String {
    kids(&issuer.jwks(Moment::from_seconds(START))).last().unwrap().clone()
}

/// Every way in which a file can be no key, each for the newest and for an older one.
#[tokio::test]
async fn a_damaged_key_file_is_skipped_while_there_is_a_good_one() {
    let damage: [fn(&std::path::Path); 5] = [
        |path| fs::write(path, "").unwrap(),
        |path| fs::write(path, [0xff; 200]).unwrap(),
        |path| {
            let text = fs::read(path).unwrap();
            fs::write(path, &text[..text.len() / 2]).unwrap();
        },
        |path| fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap(),
        |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        },
    ];
    for (number, damage) in damage.iter().enumerate() {
        for newest in [false, true] {
            let directory = tempfile::tempdir().unwrap();
            let keys = KeyDirectory::new(directory.path());
            for seed in 1..=2 {
                keys.add(Moment::from_seconds(START - 10), &Randomness::from_seed(seed)).unwrap();
            }
            let names = keys.names().unwrap();
            let running = of(&keys).unwrap();
            damage(&directory.path().join(names[usize::from(newest)].to_string()));
            // At a start: the newest good one signs.
            let good = names[usize::from(!newest)].kid.clone();
            let started = of(&keys).unwrap();
            let published = kids(&started.jwks(Moment::from_seconds(START)));
            assert_eq!(published, [good], "{number} {newest}");
            assert_eq!(started.default_ring().key_files(), (1, 1));
            // In a service that runs: what it has read it knows.
            running.default_ring().reload().unwrap();
            assert_eq!(kids(&running.jwks(Moment::from_seconds(START))).len(), 2);
            assert_eq!(signer(&running), names[1].kid, "{number} {newest}");
            assert_eq!(running.default_ring().key_files(), (1, 1));
            // A new key signs, with a damaged one beside it.
            let kid = keys.add(Moment::from_seconds(START), &Randomness::from_seed(3)).unwrap();
            running.default_ring().reload().unwrap();
            assert_eq!(signer(&running), kid);
            assert_eq!(running.default_ring().key_files(), (2, 1));
            // A file that is gone is no key any more.
            let path = directory.path().join(names[usize::from(newest)].to_string());
            fs::remove_file(&path).or_else(|_| fs::remove_dir(&path)).unwrap();
            running.default_ring().reload().unwrap();
            assert_eq!(running.default_ring().key_files(), (2, 0));
        }
    }
}

#[tokio::test]
async fn the_metrics_say_how_many_key_files_cannot_be_used() {
    let service = Service::start().await;
    fs::write(service.directory.path().join("keys/1-x.pem"), "no key").unwrap();
    service.app.issuer().default_ring().reload().unwrap();
    for (state, count) in [("used", 1), ("unusable", 1)] {
        let name = format!("breakglass_signing_key_files{{audience=\"\",state=\"{state}\"}}");
        assert_eq!(service.counter(&name).await, count, "{state}");
    }
}

#[test]
fn a_key_directory_that_others_can_write_to_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("keys");
    let keys = KeyDirectory::new(&path);
    keys.add(Moment::from_seconds(1), &Randomness::from_seed(1)).unwrap();
    let issuer = || of(&keys).map(|_| ());
    let running = of(&keys).unwrap();
    let set = |path: &std::path::Path, mode| {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    };
    for mode in [0o777, 0o1777, 0o702, 0o703] {
        set(&path, mode);
        let error = issuer().unwrap_err().to_string();
        assert!(
            error.ends_with(&format!("`chmod o-w {}`", path.canonicalize().unwrap().display())),
            "{error}"
        );
        // One that runs goes on with what it has.
        assert!(running.default_ring().reload().is_err());
        assert_eq!(running.default_ring().key_files(), (1, 0));
    }
    for mode in [0o700, 0o750, 0o755, 0o2770] {
        set(&path, mode);
        issuer().unwrap();
    }
    // Above it, that is how some volumes are made: whoever renames it has no other one of ours.
    set(parent.path(), 0o777);
    issuer().unwrap();
    // By another name too.
    let link = parent.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    set(&path, 0o777);
    assert!(of(&KeyDirectory::new(&link)).is_err());
}

/// Where the tests are root: otherwise nobody may give a file away.
#[test]
fn what_another_user_owns_is_no_key_and_no_key_directory() {
    use std::os::unix::fs::chown;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys");
    let keys = KeyDirectory::new(&path);
    for seed in 1..=2 {
        keys.add(Moment::from_seconds(1), &Randomness::from_seed(seed)).unwrap();
    }
    let names = keys.names().unwrap();
    if chown(path.join(names[1].to_string()), Some(4711), None).is_err() {
        return;
    }
    let issuer = || of(&keys);
    let started = issuer().unwrap();
    assert_eq!(
        (started.default_ring().key_files(), signer(&started)),
        ((1, 1), names[0].kid.clone())
    );
    chown(&path, Some(4711), None).unwrap();
    let error = issuer().map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("got the user 4711") && error.contains("`chown "), "{error}");
    // A group that the service is not in.
    chown(&path, Some(0), Some(4711)).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o770)).unwrap();
    let error = issuer().map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("the group 4711") && error.contains("`chmod g-w "), "{error}");
}
