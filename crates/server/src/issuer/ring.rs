//! A ring of signing keys while the service runs: its files, and what was read of them.

use std::sync::{Arc, PoisonError, RwLock};

use super::error::KeyError;
use super::key_name::KeyName;
use super::key_ring::KeyRing;
use super::keys::KeyDirectory;
use crate::config::KeyRingSettings;

/// The keys that sign the tokens of one audience, or of all that have no keys of their own.
#[derive(Debug)]
pub struct Ring {
    settings: KeyRingSettings,
    directory: KeyDirectory,
    /// Shared with the ring that other settings make of this one.
    keys: Arc<RwLock<Arc<KeyRing>>>,
}

impl Ring {
    /// The ring with these settings, by the files that are there.
    ///
    /// # Errors
    /// [`KeyError`] if others can write to the directory, or no key in it can be used.
    pub(super) fn read(settings: KeyRingSettings) -> Result<Ring, KeyError> {
        let directory = KeyDirectory::from(&settings);
        let keys = Arc::new(directory.read(None)?);
        Ok(Ring { settings, directory, keys: Arc::new(RwLock::new(keys)) })
    }

    /// The same keys with other settings, which name the same files.
    pub(super) fn resettled(&self, settings: KeyRingSettings) -> Ring {
        Ring { settings, directory: self.directory.clone(), keys: Arc::clone(&self.keys) }
    }

    /// Whether these settings name the same files.
    pub(super) fn has_files_of(&self, settings: &KeyRingSettings) -> bool {
        self.settings.key_directory == settings.key_directory
            && self.settings.wrapped_by == settings.wrapped_by
    }

    /// The audience that it is for; nothing for the default ring.
    #[must_use]
    pub fn audience(&self) -> Option<&str> {
        self.settings.audience.as_deref()
    }

    /// How it is kept.
    #[must_use]
    pub fn settings(&self) -> &KeyRingSettings {
        &self.settings
    }

    /// Where its keys are.
    #[must_use]
    pub fn directory(&self) -> &KeyDirectory {
        &self.directory
    }

    /// Reads the keys again. If that fails, those that it has stay in use; so does a key that it has and whose
    /// file is still there and cannot be used any more.
    ///
    /// # Errors
    /// [`KeyError`] if others can write to the directory, or no key in it can be used.
    pub fn reload(&self) -> Result<(), KeyError> {
        self.take(self.directory.read(Some(&self.keys()))?);
        Ok(())
    }

    /// How many key files are in use, and how many are there that cannot be used.
    #[must_use]
    pub fn key_files(&self) -> (usize, usize) {
        let keys = self.keys();
        (keys.count().saturating_sub(keys.kept()), keys.unusable())
    }

    /// The first key that waits to sign, by the files as they were last read; nothing where none is to sign.
    #[must_use]
    pub fn waits(&self) -> Option<KeyName> {
        self.keys().waits().filter(|_| self.settings.signs).cloned()
    }

    /// Ends the wait of a key: its turn to sign begins at this second. Where the directory cannot be written, that is kept
    /// in memory alone: after a restart the key waits once more.
    ///
    /// # Errors
    /// [`KeyError`] if its file could not be renamed. It signs all the same.
    pub fn switch(&self, name: &KeyName, at: i64) -> Result<(), KeyError> {
        let renamed = self.directory.switch(name, at);
        self.take(self.keys().switched(&name.kid, at));
        renamed.map(drop)
    }

    /// The keys as they are now.
    pub(super) fn keys(&self) -> Arc<KeyRing> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn take(&self, keys: KeyRing) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }
}
