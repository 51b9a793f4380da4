//! The directory of one ring of signing keys: one PEM file each, readable by their owner alone, whose name says when its key signs
//! ([`super::key_name`]).

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jwt_simple::prelude::ES256KeyPair;
use zeroize::Zeroizing;

use super::access::{check_directory, check_file, judge_directory};
use super::error::KeyError;
use super::key_name::{KeyName, Otherwise, published_until, signs};
use super::key_ring::{KeyRing, SigningKey};
use super::wrapping::{Wrapping, is_wrapped};
use crate::clock::Moment;
use crate::config::KeyRingSettings;
use crate::random::Randomness;

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It is published, and signs from this second on, or once the proxies have it.
    Waits(i64),
    /// It signs.
    Signs,
    /// It is published until this second: a grant that it signed may hold until then.
    Published(i64),
    /// It is not published any more.
    Over,
}

/// The directory of one ring of signing keys.
#[derive(Debug, Clone)]
pub struct KeyDirectory {
    path: PathBuf,
    wrapping: Option<Wrapping>,
    otherwise: Otherwise,
}

impl From<&KeyRingSettings> for KeyDirectory {
    fn from(ring: &KeyRingSettings) -> KeyDirectory {
        let otherwise = if ring.audience.is_some() { Otherwise::None } else { Otherwise::First };
        let directory = KeyDirectory::new(&ring.key_directory);
        KeyDirectory { otherwise, ..directory }.wrapped_by(ring.wrapped_by.as_deref())
    }
}

impl KeyDirectory {
    /// The keys of the default ring at `path`.
    #[must_use]
    pub fn new(path: &Path) -> KeyDirectory {
        KeyDirectory { path: path.to_owned(), wrapping: None, otherwise: Otherwise::First }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is no key in it.
    ///
    /// # Errors
    /// [`KeyError::Io`] if the directory is there and cannot be read.
    pub fn is_empty(&self) -> Result<bool, KeyError> {
        Ok(!self.path.is_dir() || self.names()?.is_empty())
    }

    /// The same keys, of which those that are wrapped are unwrapped with the key in this file, and new ones wrapped.
    #[must_use]
    pub fn wrapped_by(self, file: Option<&Path>) -> KeyDirectory {
        KeyDirectory { wrapping: file.map(Wrapping::new), ..self }
    }

    /// Whether the file with the key that wraps can be used, where there is one.
    ///
    /// # Errors
    /// [`KeyError`] says why not.
    pub fn check_wrapping(&self) -> Result<(), KeyError> {
        self.wrapping.as_ref().map_or(Ok(()), Wrapping::check)
    }

    /// Whether a key's file is wrapped.
    ///
    /// # Errors
    /// [`KeyError::Io`] if it cannot be read.
    pub fn is_wrapped(&self, name: &KeyName) -> Result<bool, KeyError> {
        let path = self.path.join(name.to_string());
        let bytes = Zeroizing::new(fs::read(&path).map_err(|error| KeyError::Io(path, error))?);
        Ok(str::from_utf8(&bytes).is_ok_and(is_wrapped))
    }

    /// The keys in it by what the names of their files say, in the order of their turns. Two answers differ when the keys
    /// do.
    ///
    /// # Errors
    /// [`KeyError::Io`] if the directory cannot be read.
    pub fn names(&self) -> Result<Vec<KeyName>, KeyError> {
        let failed = |error| KeyError::Io(self.path.clone(), error);
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            names.extend(name.to_str().and_then(KeyName::parse));
        }
        names.sort_by_key(KeyName::turn);
        Ok(names)
    }

    /// Whether others can put or rename keys in it: an error where they could choose the key that signs, else what to know,
    /// in words for the operator.
    ///
    /// # Errors
    /// [`KeyError`] says who, and what to do.
    pub fn check_access(&self) -> Result<Vec<String>, KeyError> {
        judge_directory(&self.path)
    }

    /// Whether a key's file can be used.
    ///
    /// # Errors
    /// [`KeyError`] says why not, and what to do.
    pub fn check(&self, name: &KeyName) -> Result<(), KeyError> {
        self.read_key(name).map(drop)
    }

    /// The keys in it, each with what it is for at this moment.
    ///
    /// # Errors
    /// [`KeyError::Io`] if the directory cannot be read.
    pub fn list(&self, now: Moment) -> Result<Vec<(KeyName, KeyState)>, KeyError> {
        let names = self.names()?;
        let signer = signs(names.iter(), self.otherwise);
        let successors: Vec<Option<i64>> =
            names.iter().skip(1).map(published_until).chain([None]).collect();
        let states = names.into_iter().zip(successors).enumerate();
        Ok(states
            .map(|(index, (name, until))| {
                let state = match until {
                    _ if Some(index) == signer => KeyState::Signs,
                    _ if name.waits() => KeyState::Waits(name.begins()),
                    Some(until) if now.seconds() < until => KeyState::Published(until),
                    _ => KeyState::Over,
                };
                (name, state)
            })
            .collect())
    }

    /// Makes a new key that signs at once, and returns its `kid`.
    ///
    /// # Errors
    /// [`KeyError::Io`] if it cannot be written.
    pub fn add(&self, now: Moment, randomness: &Randomness) -> Result<String, KeyError> {
        self.make()?;
        let turn = self.next_turn(now)?;
        Ok(self.write(turn, None, randomness)?.kid)
    }

    /// Makes a new key that is published at once and signs from this second on.
    ///
    /// # Errors
    /// [`KeyError::Io`] if it cannot be written.
    pub fn add_from(
        &self,
        now: Moment,
        signs_from: i64,
        randomness: &Randomness,
    ) -> Result<KeyName, KeyError> {
        self.make()?;
        self.write(now.seconds(), Some(signs_from), randomness)
    }

    /// The second at which a key's turn begins that begins now: after every key whose turn has come, also where the clock
    /// goes back.
    ///
    /// # Errors
    /// [`KeyError::Io`] if the directory cannot be read.
    pub fn next_turn(&self, now: Moment) -> Result<i64, KeyError> {
        let names = self.names()?;
        let turn = names.iter().filter(|name| !name.waits()).map(KeyName::begins).max();
        Ok(turn.map_or(now.seconds(), |turn| now.seconds().max(turn.saturating_add(1))))
    }

    /// Ends the wait of a key: its turn begins at this second.
    ///
    /// # Errors
    /// [`KeyError::Io`] if its file cannot be renamed.
    pub fn switch(&self, name: &KeyName, at: i64) -> Result<KeyName, KeyError> {
        let switched = name.switched(at);
        self.rename(&name.to_string(), &switched.to_string())?;
        Ok(switched)
    }

    /// Lets every key wait once more, so that none signs; all stay published.
    ///
    /// # Errors
    /// [`KeyError::Io`] if a file cannot be renamed.
    pub(super) fn let_wait(&self, now: Moment) -> Result<(), KeyError> {
        for name in self.names()?.into_iter().filter(|name| !name.waits()) {
            let waiting = KeyName { signs_from: Some(now.seconds()), ..name.clone() };
            self.rename(&name.to_string(), &waiting.to_string())?;
        }
        Ok(())
    }

    /// Removes a key's file.
    ///
    /// # Errors
    /// [`KeyError::Io`] if it cannot be removed.
    pub fn remove(&self, name: &KeyName) -> Result<(), KeyError> {
        let failed = |error| KeyError::Io(self.path.clone(), error);
        fs::remove_file(self.path.join(name.to_string())).map_err(failed)?;
        self.sync()
    }

    fn make(&self) -> Result<(), KeyError> {
        if self.path.is_dir() {
            return Ok(());
        }
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.path);
        made.map_err(|error| KeyError::Io(self.path.clone(), error))
    }

    fn write(
        &self,
        made_at: i64,
        signs_from: Option<i64>,
        randomness: &Randomness,
    ) -> Result<KeyName, KeyError> {
        let failed = |error| KeyError::Io(self.path.clone(), error);
        let invalid = |_| KeyError::Invalid(self.path.clone());
        let pair = new_pair(randomness).map_err(invalid)?;
        let name = KeyName { made_at, kid: pair.public_key().jwk_thumbprint(), signs_from };
        let mut pem = Zeroizing::new(pair.to_pem().map_err(invalid)?);
        if let Some(wrapping) = &self.wrapping {
            pem = wrapping.wrap(&pem, &self.path.join(name.to_string()), randomness)?;
        }
        let unfinished = format!(".{name}");
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.path.join(&unfinished))
            .map_err(failed)?;
        file.write_all(pem.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        // A service that watches the directory never sees half a key.
        self.rename(&unfinished, &name.to_string())?;
        Ok(name)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), KeyError> {
        let renamed = fs::rename(self.path.join(from), self.path.join(to));
        renamed.map_err(|error| KeyError::Io(self.path.clone(), error))?;
        self.sync()
    }

    fn sync(&self) -> Result<(), KeyError> {
        let synced = File::open(&self.path).and_then(|directory| directory.sync_all());
        synced.map_err(|error| KeyError::Io(self.path.clone(), error))
    }

    /// Reads all keys. Where a file's name says that its key waits, and the wait of the `known` key has ended, the latter
    /// counts: the directory cannot be written. A file that cannot be used is skipped, and the log says so, as long as there is a good
    /// one; its key stays where it is `known` from before.
    ///
    /// # Errors
    /// [`KeyError`] if others can write to the directory, or for the oldest file where none can be used.
    pub(super) fn read(&self, known: Option<&KeyRing>) -> Result<KeyRing, KeyError> {
        check_directory(&self.path)?;
        let mut keys = Vec::new();
        let mut failures = Vec::new();
        let (mut good, mut kept) = (0_usize, 0_usize);
        for name in self.names()? {
            let before = known.and_then(|known| known.find(&name.kid));
            match self.read_key(&name) {
                Ok(key) => {
                    good = good.saturating_add(1);
                    let ended = before.filter(|before| name.waits() && !before.name.waits());
                    keys.push(ended.map_or_else(|| Arc::new(key), Arc::clone));
                }
                Err(error) => {
                    failures.push(error);
                    if let Some(key) = before {
                        kept = kept.saturating_add(1);
                        keys.push(Arc::clone(key));
                    }
                }
            }
        }
        keys.sort_by_key(|key| key.name.turn());
        let unusable = failures.len();
        if good == 0 {
            let first = failures.into_iter().next();
            return Err(first.unwrap_or_else(|| KeyError::None(self.path.clone())));
        }
        for cause in failures {
            tracing::error!(%cause, "signing key skipped: tokens that only it proves are refused after a restart");
        }
        KeyRing::new(keys, unusable, kept, self.otherwise)
            .ok_or_else(|| KeyError::None(self.path.clone()))
    }

    fn read_key(&self, name: &KeyName) -> Result<SigningKey, KeyError> {
        let path = self.path.join(name.to_string());
        let invalid = || KeyError::Invalid(path.clone());
        check_file(&path)?;
        // The library keeps the key in a form that it zeroes itself when it is dropped.
        let bytes = fs::read(&path).map_err(|error| KeyError::Io(path.clone(), error))?;
        let bytes = Zeroizing::new(bytes);
        let pem = str::from_utf8(&bytes).map_err(|_| invalid())?;
        let pair = match &self.wrapping {
            Some(wrapping) if is_wrapped(pem) => {
                ES256KeyPair::from_pem(&wrapping.unwrap(pem, &path)?)
            }
            None if is_wrapped(pem) => return Err(KeyError::Wrapped(path)),
            // One that was made before there was a key to wrap it.
            _ => ES256KeyPair::from_pem(pem),
        };
        let pair = pair.map_err(|_| invalid())?;
        let public = pair.public_key();
        if public.jwk_thumbprint() != name.kid {
            return Err(invalid());
        }
        Ok(SigningKey {
            name: name.clone(),
            pair: Arc::new(pair.with_key_id(&name.kid)),
            public: public.with_key_id(&name.kid),
        })
    }
}

/// A random scalar is out of range once in 2^32 draws for this curve, so a few draws do.
fn new_pair(randomness: &Randomness) -> Result<ES256KeyPair, jwt_simple::Error> {
    let draw = || Zeroizing::new(randomness.bytes::<32>());
    ES256KeyPair::from_bytes(draw().as_slice())
        .or_else(|_| ES256KeyPair::from_bytes(draw().as_slice()))
}
