//! The key that seals what is kept of people's sessions at identity providers: a refresh token there is worth as much as the
//! person's sign-in, so the database alone must not tell it. One file, which is made when it is needed for the first time.
//!
//! Without the file what was sealed cannot be opened: groups are then not known before the person signs in again, and nothing
//! else is lost.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::access::{check_directory, check_file};
use super::error::KeyError;
use super::secret_files::{beside, in_one_of, write};
use crate::random::Randomness;

/// The file's name: 32 bytes in base64url.
const NAME: &str = "provider-sessions.key";

/// What is sealed belongs to this use of the key; after it stands to what it is bound.
const USE: &str = "breakglass provider session 1\n";

/// The key, or where it is.
pub struct ProviderSessionKey {
    key_directory: PathBuf,
    beside: PathBuf,
    key: Mutex<Option<Arc<LessSafeKey>>>,
}

impl std::fmt::Debug for ProviderSessionKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ProviderSessionKey").finish_non_exhaustive()
    }
}

impl ProviderSessionKey {
    /// Of the service with this key directory and this database: nothing is read or made yet.
    #[must_use]
    pub fn new(key_directory: &Path, database: &Path) -> ProviderSessionKey {
        ProviderSessionKey {
            key_directory: key_directory.to_owned(),
            beside: beside(database),
            key: Mutex::new(None),
        }
    }

    /// Seals `plain`, so that it can be opened with the same `bound_to` alone. The first time makes the key.
    ///
    /// # Errors
    /// [`KeyError`] if there is no key, and none can be made.
    pub fn seal(
        &self,
        bound_to: &str,
        mut plain: Vec<u8>,
        randomness: &Randomness,
    ) -> Result<Vec<u8>, KeyError> {
        let key = self.find_or_make(randomness)?;
        let nonce = randomness.bytes::<NONCE_LEN>();
        let unique = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(unique, Aad::from(context(bound_to)), &mut plain)
            .map_err(|_| self.invalid())?;
        Ok([nonce.as_slice(), &plain].concat())
    }

    /// Opens what was sealed; nothing where it was sealed with another key, or for something else.
    ///
    /// # Errors
    /// [`KeyError`] if the key cannot be read.
    pub fn open(
        &self,
        bound_to: &str,
        sealed: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
        let Some(key) = self.find()? else { return Ok(None) };
        let Some((nonce, sealed)) = sealed.split_at_checked(NONCE_LEN) else { return Ok(None) };
        let Ok(nonce) = Nonce::try_assume_unique_for_key(nonce) else { return Ok(None) };
        let mut sealed = Zeroizing::new(sealed.to_vec());
        let opened = key.open_in_place(nonce, Aad::from(context(bound_to)), &mut sealed);
        let length = opened.ok().map(|opened| opened.len());
        Ok(length.map(|length| {
            sealed.truncate(length);
            sealed
        }))
    }

    /// The key, if there is one.
    fn find(&self) -> Result<Option<Arc<LessSafeKey>>, KeyError> {
        self.find_in(&mut self.key.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The key, under one lock: of two that need the first one at once, the second must not write another over it.
    fn find_or_make(&self, randomness: &Randomness) -> Result<Arc<LessSafeKey>, KeyError> {
        let mut key = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = self.find_in(&mut key)? {
            return Ok(found);
        }
        self.make(randomness)?;
        self.find_in(&mut key)?.ok_or_else(|| self.invalid())
    }

    fn find_in(
        &self,
        key: &mut Option<Arc<LessSafeKey>>,
    ) -> Result<Option<Arc<LessSafeKey>>, KeyError> {
        if key.is_none() {
            *key = match self.read(&self.key_directory)? {
                Some(found) => Some(found),
                None => self.read(&self.beside)?,
            };
        }
        Ok(key.clone())
    }

    fn make(&self, randomness: &Randomness) -> Result<(), KeyError> {
        in_one_of(&self.key_directory, &self.beside, |directory| {
            let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(randomness.bytes::<32>()) + "\n");
            write(directory, NAME, text.as_bytes())?;
            tracing::info!(directory = %directory.display(), "made the key of sessions at identity providers");
            Ok(())
        })
    }

    fn read(&self, directory: &Path) -> Result<Option<Arc<LessSafeKey>>, KeyError> {
        let path = directory.join(NAME);
        let text = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => Zeroizing::new(text.map_err(|error| KeyError::Io(path.clone(), error))?),
        };
        check_directory(directory)?;
        check_file(&path)?;
        let bytes = URL_SAFE_NO_PAD.decode(text.trim_ascii()).map(Zeroizing::new);
        let key = bytes.ok().and_then(|bytes| UnboundKey::new(&CHACHA20_POLY1305, &bytes).ok());
        key.map(|key| Some(Arc::new(LessSafeKey::new(key)))).ok_or_else(|| self.invalid())
    }

    fn invalid(&self) -> KeyError {
        KeyError::InvalidProviderSessionKey(self.key_directory.join(NAME))
    }
}

fn context(bound_to: &str) -> Vec<u8> {
    format!("{USE}{bound_to}").into_bytes()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn of_many_who_need_the_first_key_at_once_one_makes_it() {
        for round in 0..20 {
            let directory = tempfile::tempdir().unwrap();
            let (keys, database) = (directory.path().join("keys"), directory.path().join("a.db"));
            let randomness = Randomness::from_seed(round);
            let key = ProviderSessionKey::new(&keys, &database);
            let start = std::sync::Barrier::new(8);
            let seal = || {
                start.wait();
                key.seal("ses_1", b"token".to_vec(), &randomness).unwrap()
            };
            let sealed: Vec<Vec<u8>> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(seal)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            let after_a_restart = ProviderSessionKey::new(&keys, &database);
            for one in sealed {
                assert!(after_a_restart.open("ses_1", &one).unwrap().is_some());
            }
        }
    }

    #[test]
    fn what_was_sealed_is_opened_with_the_same_file_for_the_same_session_alone() {
        let directory = tempfile::tempdir().unwrap();
        let (keys, database) = (directory.path().join("keys"), directory.path().join("a.db"));
        let randomness = Randomness::from_seed(1);
        let key = ProviderSessionKey::new(&keys, &database);
        // Nothing is made to open something.
        assert!(key.open("ses_1", &[0; 40]).unwrap().is_none() && !keys.exists());
        let sealed = key.seal("ses_1", b"refresh token".to_vec(), &randomness).unwrap();
        assert!(!sealed.windows(7).any(|window| window == b"refresh"));
        let mode = fs::metadata(keys.join(NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = ProviderSessionKey::new(&keys, &database);
        let opened = again.open("ses_1", &sealed).unwrap();
        assert_eq!(opened.as_deref().map(Vec::as_slice), Some(&b"refresh token"[..]));
        assert!(again.open("ses_2", &sealed).unwrap().is_none());
        let mut other = sealed.clone();
        *other.last_mut().unwrap() ^= 1;
        assert!(again.open("ses_1", &other).unwrap().is_none());
        assert!(again.open("ses_1", &sealed[..5]).unwrap().is_none());
        // Another file is another key, and one that others can read is none.
        fs::remove_file(keys.join(NAME)).unwrap();
        let new = ProviderSessionKey::new(&keys, &database);
        new.seal("ses_3", Vec::new(), &randomness).unwrap();
        assert!(new.open("ses_1", &sealed).unwrap().is_none());
        fs::set_permissions(keys.join(NAME), fs::Permissions::from_mode(0o644)).unwrap();
        let exposed = ProviderSessionKey::new(&keys, &database);
        assert!(matches!(exposed.open("ses_3", &sealed), Err(KeyError::Exposed(_))));
        fs::set_permissions(keys.join(NAME), fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(keys.join(NAME), "short").unwrap();
        let short = exposed.seal("ses_3", Vec::new(), &randomness);
        assert!(matches!(short, Err(KeyError::InvalidProviderSessionKey(_))), "{short:?}");
    }
}
