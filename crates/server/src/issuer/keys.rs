//! The signing keys: one PEM file each, readable by their owner alone.
//!
//! A file's name says when its key was made, `<seconds>-<kid>.pem`: the newest key signs. The
//! `kid` is the key's thumbprint (RFC 7638), so a file that was renamed by mistake is noticed.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use breakglass_types::limits::KEYS_FETCHED_S;
use jwt_simple::prelude::{ES256KeyPair, ES256PublicKey};
use zeroize::Zeroizing;

use super::access::{check_directory, check_file};
use super::error::KeyError;
use crate::clock::Moment;
use crate::limits::{CLOCK_SKEW_S, MAX_GRANT_S};
use crate::random::Randomness;

/// One key.
pub(super) struct SigningKey {
    pub(super) created_at: i64,
    pub(super) kid: String,
    pub(super) pair: ES256KeyPair,
    pub(super) public: ES256PublicKey,
}

/// All keys, oldest first; at least one.
#[derive(Clone)]
pub(super) struct KeyRing {
    older: Vec<Arc<SigningKey>>,
    signer: Arc<SigningKey>,
    /// How many key files cannot be used ..
    unusable: usize,
    /// .. and of how many of them the key is known from before.
    kept: usize,
}

impl KeyRing {
    /// How many keys there are.
    pub(super) fn count(&self) -> usize {
        self.older.len().saturating_add(1)
    }

    /// How many of them were read before, from a file that cannot be used any more.
    pub(super) fn kept(&self) -> usize {
        self.kept
    }

    /// How many key files cannot be used.
    pub(super) fn unusable(&self) -> usize {
        self.unusable
    }

    fn find(&self, name: &str) -> Option<&Arc<SigningKey>> {
        let (created_at, kid) = parts(name)?;
        let known = self.older.iter().chain([&self.signer]);
        known.into_iter().find(|key| key.created_at == created_at && key.kid == kid)
    }

    /// The key that signs: the newest.
    pub(super) fn signer(&self) -> &SigningKey {
        &self.signer
    }

    /// The key that signs challenges: proxies answer one only by a key that they have already, so it is the one before
    /// the newest until they have had the time to fetch that.
    pub(super) fn challenger(&self, now: Moment) -> &SigningKey {
        let is_new = now.seconds() < self.signer.created_at.saturating_add(KEYS_FETCHED_S);
        let before = self.older.last().filter(|_| is_new);
        before.map_or(&*self.signer, |key| key)
    }

    /// The keys that may have signed a token that still holds: the newest, and each older one
    /// until the last grant that it could have signed is over.
    ///
    /// Relies on INVARIANT (longest-grant) and INVARIANT (skew).
    pub(super) fn published(&self, now: Moment) -> Vec<&SigningKey> {
        let successors = self.older.iter().skip(1).chain([&self.signer]);
        let mut keys: Vec<&SigningKey> = self
            .older
            .iter()
            .zip(successors)
            .filter(|(_, successor)| {
                let over = successor.created_at.saturating_add(MAX_GRANT_S + CLOCK_SKEW_S);
                now.seconds() < over
            })
            .map(|(key, _)| key.as_ref())
            .collect();
        keys.push(&self.signer);
        keys
    }
}

/// The directory of the signing keys.
#[derive(Debug, Clone)]
pub struct KeyDirectory(PathBuf);

impl KeyDirectory {
    /// The keys at `path`.
    #[must_use]
    pub fn new(path: &Path) -> KeyDirectory {
        KeyDirectory(path.to_owned())
    }

    /// The names of the key files, oldest first: they change when the keys do.
    ///
    /// # Errors
    /// [`KeyError::Io`] if the directory cannot be read.
    pub fn names(&self) -> Result<Vec<String>, KeyError> {
        let failed = |error| KeyError::Io(self.0.clone(), error);
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.0).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            if let Some(name) = name.to_str().filter(|name| parts(name).is_some()) {
                names.push(name.to_owned());
            }
        }
        names.sort_by_key(|name| parts(name).map(|(created_at, kid)| (created_at, kid.to_owned())));
        Ok(names)
    }

    /// Makes a new key, which is the newest, and returns its `kid`.
    ///
    /// # Errors
    /// [`KeyError::Io`] if it cannot be written.
    pub fn add(&self, now: Moment, randomness: &Randomness) -> Result<String, KeyError> {
        let failed = |error| KeyError::Io(self.0.clone(), error);
        if !self.0.is_dir() {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.0).map_err(failed)?;
        }
        let newest = self.names()?.last().and_then(|name| parts(name).map(|(at, _)| at));
        let created_at =
            newest.map_or(now.seconds(), |newest| now.seconds().max(newest.saturating_add(1)));
        let invalid = |_| KeyError::Invalid(self.0.clone());
        let pair = new_pair(randomness).map_err(invalid)?;
        let kid = pair.public_key().jwk_thumbprint();
        let pem = Zeroizing::new(pair.to_pem().map_err(invalid)?);

        let name = format!("{created_at}-{kid}.pem");
        let unfinished = self.0.join(format!(".{name}"));
        let path = self.0.join(name);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&unfinished)
            .map_err(failed)?;
        file.write_all(pem.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        // A service that watches the directory never sees half a key.
        fs::rename(&unfinished, &path).map_err(failed)?;
        File::open(&self.0).and_then(|directory| directory.sync_all()).map_err(failed)?;
        Ok(kid)
    }

    /// Reads all keys. A file that cannot be used is skipped, and the log says so, as long as there is a good
    /// one; its key stays where it is `known` from before.
    ///
    /// # Errors
    /// [`KeyError`] if others can write to the directory, or for the oldest file where none can be used.
    pub(super) fn read(&self, known: Option<&KeyRing>) -> Result<KeyRing, KeyError> {
        check_directory(&self.0)?;
        let mut older = Vec::new();
        let mut failures = Vec::new();
        let (mut good, mut kept) = (0_usize, 0_usize);
        for name in self.names()? {
            match read_key(&self.0.join(&name), &name) {
                Ok(key) => {
                    good = good.saturating_add(1);
                    older.push(Arc::new(key));
                }
                Err(error) => {
                    failures.push(error);
                    if let Some(key) = known.and_then(|known| known.find(&name)) {
                        kept = kept.saturating_add(1);
                        older.push(Arc::clone(key));
                    }
                }
            }
        }
        let unusable = failures.len();
        if good == 0 {
            let first = failures.into_iter().next();
            return Err(first.unwrap_or_else(|| KeyError::None(self.0.clone())));
        }
        for cause in failures {
            tracing::error!(%cause, "signing key skipped: tokens that only it proves are refused after a restart");
        }
        let signer = older.pop().ok_or_else(|| KeyError::None(self.0.clone()))?;
        Ok(KeyRing { older, signer, unusable, kept })
    }
}

fn read_key(path: &Path, name: &str) -> Result<SigningKey, KeyError> {
    let failed = |error| KeyError::Io(path.to_owned(), error);
    let invalid = || KeyError::Invalid(path.to_owned());
    check_file(path)?;
    // The library keeps the key in a form that it zeroes itself when it is dropped.
    let bytes = Zeroizing::new(fs::read(path).map_err(failed)?);
    let pem = str::from_utf8(&bytes).map_err(|_| invalid())?;
    let pair = ES256KeyPair::from_pem(pem).map_err(|_| invalid())?;
    let public = pair.public_key();
    let (created_at, kid) = parts(name).ok_or_else(invalid)?;
    if public.jwk_thumbprint() != kid {
        return Err(invalid());
    }
    Ok(SigningKey {
        created_at,
        kid: kid.to_owned(),
        pair: pair.with_key_id(kid),
        public: public.with_key_id(kid),
    })
}

/// A random scalar is out of range once in 2^32 draws for this curve, so a few draws do.
fn new_pair(randomness: &Randomness) -> Result<ES256KeyPair, jwt_simple::Error> {
    let draw = || Zeroizing::new(randomness.bytes::<32>());
    ES256KeyPair::from_bytes(draw().as_slice())
        .or_else(|_| ES256KeyPair::from_bytes(draw().as_slice()))
}

/// When the key was made and its `kid`, from the file's name.
fn parts(name: &str) -> Option<(i64, &str)> {
    let (created_at, kid) = name.strip_suffix(".pem")?.split_once('-')?;
    Some((created_at.parse().ok()?, kid))
}
