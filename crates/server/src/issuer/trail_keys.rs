//! The keys that sign the service's trail: one PEM file each, readable by their owner alone, beside the signing keys and
//! none of them. No proxy trusts such a key, and no token is signed with one.
//!
//! A file's name is `trail-<number>-<kid>.pem`: the highest number signs, and all of them verify. The `kid` is the start of
//! the public key's SHA-256.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use breakglass_types::hex;
use ed25519_compact::{KeyPair, Seed};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::access::{check_directory, check_file};
use super::error::KeyError;
use super::secret_files::{self, beside, in_one_of};
use super::trail_since;
use crate::clock::Moment;
use crate::random::Randomness;

/// Before the hash in what is signed, so that no signature of something else counts.
const DOMAIN: &str = "breakglass-trail-1\n";

/// One key. `ring` signs with it, since each change of state waits for a signature; `ed25519_compact` reads and writes its
/// file, which `ring` cannot.
struct TrailKey {
    number: u64,
    kid: String,
    pair: Ed25519KeyPair,
}

/// All keys of the trail; at least one. A handle that is cheap to clone.
#[derive(Clone)]
pub struct TrailKeys(Arc<Keys>);

struct Keys {
    signer: TrailKey,
    earlier: Vec<TrailKey>,
    /// Since when the trail is chained, as far as it is known.
    since: Option<Moment>,
}

impl std::fmt::Debug for TrailKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrailKeys").field("signer", &self.0.signer.kid).finish_non_exhaustive()
    }
}

impl TrailKeys {
    /// The keys of a service with this key directory and this database; the first one is made, and another one where none
    /// that is there can be used.
    ///
    /// A key directory can be a mounted secret, which cannot be written: then the key is made in a directory beside the
    /// database, and the log says so, because who can change that directory can sign too.
    ///
    /// With the first key the trail begins, at `now`, and a file beside the key says so.
    ///
    /// # Errors
    /// [`KeyError`] if others can write to the directory, or none can be made.
    pub fn open(
        key_directory: &Path,
        database: &Path,
        randomness: &Randomness,
        now: Moment,
    ) -> Result<TrailKeys, KeyError> {
        let beside = beside(database);
        let keys = find_or_make(key_directory, &beside, randomness)?;
        let since = match since(key_directory, &beside) {
            Some(since) => since,
            None => {
                in_one_of(key_directory, &beside, |directory| trail_since::write(directory, now))?;
                now
            }
        };
        let none = || KeyError::InvalidTrailKey(key_directory.to_owned());
        TrailKeys::of(keys, Some(since)).ok_or_else(none)
    }

    /// The keys in the key directory or beside the database, if there are any: nothing is made.
    ///
    /// # Errors
    /// [`KeyError`] if others can write to the directory.
    pub fn existing(key_directory: &Path, database: &Path) -> Result<Option<TrailKeys>, KeyError> {
        let beside = beside(database);
        let since = since(key_directory, &beside);
        let in_directory = TrailKeys::of(read(key_directory)?.keys, since);
        Ok(in_directory.or(TrailKeys::of(read(&beside)?.keys, since)))
    }

    /// How many keys of a service can be used, and what is wrong with the others: nothing is made.
    ///
    /// # Errors
    /// [`KeyError`] if others can write to the directory.
    pub fn check(
        key_directory: &Path,
        database: &Path,
    ) -> Result<(usize, Vec<KeyError>), KeyError> {
        let directories = [key_directory, &beside(database)];
        let (mut count, mut faults) = (0_usize, Vec::new());
        for directory in directories {
            let found = look(directory)?;
            count = count.saturating_add(found.keys.len());
            faults.extend(found.faults);
            faults.extend(trail_since::read(directory).err());
        }
        Ok((count, faults))
    }

    /// These keys, of which the one with the highest number signs; nothing without any.
    fn of(mut keys: Vec<TrailKey>, since: Option<Moment>) -> Option<TrailKeys> {
        keys.sort_by_key(|key| key.number);
        let signer = keys.pop()?;
        keys.reverse();
        Some(TrailKeys(Arc::new(Keys { signer, earlier: keys, since })))
    }

    /// Whether what happened at this time, in milliseconds, can be of before the trail was chained.
    pub(crate) fn could_be_of_before(&self, time_ms: i64) -> bool {
        self.0.since.is_none_or(|since| time_ms <= since.millis())
    }

    /// The id of the key that signs.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.0.signer.kid
    }

    /// The public halves, the newest first: each with its id, as an auditor needs them.
    #[must_use]
    pub fn public(&self) -> Vec<(String, String)> {
        let keys = [&self.0.signer].into_iter().chain(&self.0.earlier);
        keys.map(|key| (key.kid.clone(), hex::lower(key.pair.public_key().as_ref()))).collect()
    }

    /// A signature over a link's hash.
    #[must_use]
    pub(crate) fn sign(&self, hash: &str) -> String {
        let message = format!("{DOMAIN}{hash}");
        URL_SAFE_NO_PAD.encode(self.0.signer.pair.sign(message.as_bytes()).as_ref())
    }

    /// Whether this signature over a link's hash is of the key with this id; nothing without such a key.
    #[must_use]
    pub(crate) fn verify(&self, kid: &str, hash: &str, signature: &str) -> Option<bool> {
        let mut keys = [&self.0.signer].into_iter().chain(&self.0.earlier);
        let key = keys.find(|key| key.kid == kid)?;
        let message = format!("{DOMAIN}{hash}");
        let public = UnparsedPublicKey::new(&ED25519, key.pair.public_key().as_ref());
        let signature = URL_SAFE_NO_PAD.decode(signature).ok();
        Some(signature.is_some_and(|bytes| public.verify(message.as_bytes(), &bytes).is_ok()))
    }
}

/// What is in a directory.
#[derive(Default)]
struct Found {
    keys: Vec<TrailKey>,
    /// The highest number of a key's file, usable or not; 0 without any.
    last: u64,
    /// Why the others cannot be used.
    faults: Vec<KeyError>,
}

/// The keys in this directory. A file that cannot be used is skipped, and the log says so: grants that were approved with it
/// get no token any more, and everything else goes on.
fn read(directory: &Path) -> Result<Found, KeyError> {
    let found = look(directory)?;
    for cause in &found.faults {
        tracing::error!(%cause, "key of the trail skipped");
    }
    Ok(found)
}

/// The same, and the log says nothing.
fn look(directory: &Path) -> Result<Found, KeyError> {
    let failed = |error| KeyError::Io(directory.to_owned(), error);
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::default()),
        entries => entries.map_err(failed)?,
    };
    let mut found = Found::default();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        let Some((number, kid)) = name.to_str().and_then(parts) else { continue };
        found.last = found.last.max(number);
        match read_key(&directory.join(&name), number, kid) {
            Ok(key) => found.keys.push(key),
            Err(cause) => found.faults.push(cause),
        }
    }
    if found.last > 0 {
        check_directory(directory)?;
    }
    Ok(found)
}

/// The keys that are there, or with a new one.
fn find_or_make(
    key_directory: &Path,
    beside: &Path,
    randomness: &Randomness,
) -> Result<Vec<TrailKey>, KeyError> {
    let mut last = 0;
    for directory in [key_directory, beside] {
        let found = read(directory)?;
        if !found.keys.is_empty() {
            return Ok(found.keys);
        }
        last = found.last.max(last);
    }
    // Also where those that are there cannot be used: a service without a key could write nothing down, and so end
    // nothing.
    let number = last.saturating_add(1);
    in_one_of(key_directory, beside, |directory| {
        add(directory, number, randomness)?;
        tracing::info!(directory = %directory.display(), number, "made a key of the trail");
        Ok(read(directory)?.keys)
    })
}

/// Since when the trail is chained, as the files say: the earlier time of two. A file that cannot be read counts as one from
/// the beginning of time: what is not known proves no approval.
fn since(key_directory: &Path, beside: &Path) -> Option<Moment> {
    let read = |directory| {
        trail_since::read(directory).unwrap_or_else(|cause| {
            tracing::error!(%cause, "it is not known since when the trail is chained");
            Some(Moment::from_seconds(0))
        })
    };
    [key_directory, beside].into_iter().filter_map(read).min()
}

fn read_key(path: &Path, number: u64, kid: &str) -> Result<TrailKey, KeyError> {
    let failed = |error| KeyError::Io(path.to_owned(), error);
    let invalid = || KeyError::InvalidTrailKey(path.to_owned());
    check_file(path)?;
    let bytes = Zeroizing::new(fs::read(path).map_err(failed)?);
    let pem = str::from_utf8(&bytes).map_err(|_| invalid())?;
    let read = KeyPair::from_pem(pem).map_err(|_| invalid())?;
    let seed = Zeroizing::new(*read.sk.seed());
    let pair = Ed25519KeyPair::from_seed_and_public_key(&*seed, read.pk.as_ref())
        .map_err(|_| invalid())?;
    if kid_of(pair.public_key().as_ref()) != kid {
        return Err(invalid());
    }
    Ok(TrailKey { number, kid: kid.to_owned(), pair })
}

fn add(directory: &Path, number: u64, randomness: &Randomness) -> Result<(), KeyError> {
    let seed = Zeroizing::new(randomness.bytes::<32>());
    let pair = KeyPair::from_seed(Seed::new(*seed));
    let pem = Zeroizing::new(pair.to_pem());
    let name = format!("trail-{number}-{}.pem", kid_of(pair.pk.as_ref()));
    secret_files::write(directory, &name, pem.as_bytes())
}

fn kid_of(public: &[u8]) -> String {
    let digest = Sha256::digest(public);
    hex::lower(digest.get(..16).unwrap_or_default())
}

/// The number of a key and its `kid`, from the file's name.
fn parts(name: &str) -> Option<(u64, &str)> {
    let (number, kid) = name.strip_prefix("trail-")?.strip_suffix(".pem")?.split_once('-')?;
    Some((number.parse().ok()?, kid))
}
