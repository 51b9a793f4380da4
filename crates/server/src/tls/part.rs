//! What was read of some files, and is read again when they change.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use super::error::TlsError;
use crate::clock::Moment;
use crate::look::Stamp;

/// After how many looks files that cannot be used are tried again: time alone can mend what is not valid yet.
const AGAIN: u32 = 10;

/// What is in use, and what came of the last reading.
#[derive(Debug)]
pub(super) struct Part<T> {
    files: Vec<PathBuf>,
    used: RwLock<(T, u64)>,
    watch: Mutex<Watch>,
}

#[derive(Debug)]
struct Watch {
    /// At the last look.
    seen: Vec<Stamp>,
    /// Of what was last read, used or not.
    read: Vec<Stamp>,
    failure: Option<(Moment, String)>,
    looks_since_failure: u32,
    expiry_said: bool,
}

/// What a look has found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing that was not known.
    Nothing,
    /// Other content, which is in use from now on.
    Taken,
    /// Other content, which cannot be used.
    Refused(String),
}

impl<T: Clone> Part<T> {
    /// Reads the files for the first time.
    pub(super) fn open(
        files: Vec<PathBuf>,
        read: impl FnOnce() -> Result<T, TlsError>,
    ) -> Result<Part<T>, TlsError> {
        // Before the files are read: what changes meanwhile is read again.
        let seen: Vec<Stamp> = files.iter().map(|file| Stamp::of(file)).collect();
        let watch = Watch {
            read: seen.clone(),
            seen,
            failure: None,
            looks_since_failure: 0,
            expiry_said: false,
        };
        Ok(Part { files, used: RwLock::new((read()?, 0)), watch: Mutex::new(watch) })
    }

    /// What is in use, and how often it was replaced.
    pub(super) fn used(&self) -> (T, u64) {
        // It is replaced in one assignment.
        self.used.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often it was replaced.
    pub(super) fn generation(&self) -> u64 {
        self.used.read().unwrap_or_else(PoisonError::into_inner).1
    }

    /// Reads the files again if they have changed, and are the same as at the last look: two files that are written one
    /// after the other belong together.
    pub(super) fn look(&self, now: Moment, read: impl FnOnce() -> Result<T, TlsError>) -> Found {
        let stamps: Vec<Stamp> = self.files.iter().map(|file| Stamp::of(file)).collect();
        let mut watch = self.watch();
        let settled = watch.seen == stamps;
        watch.seen.clone_from(&stamps);
        watch.looks_since_failure = watch.looks_since_failure.saturating_add(1);
        let again = watch.failure.is_some() && watch.looks_since_failure >= AGAIN;
        if !settled || (watch.read == stamps && !again) {
            return Found::Nothing;
        }
        let changed = watch.read != stamps;
        watch.read = stamps;
        watch.looks_since_failure = 0;
        match read() {
            Ok(value) => {
                let mut used = self.used.write().unwrap_or_else(PoisonError::into_inner);
                *used = (value, used.1.wrapping_add(1));
                (watch.failure, watch.expiry_said) = (None, false);
                Found::Taken
            }
            Err(error) => {
                let error = error.to_string();
                let known = watch.failure.as_ref().is_some_and(|(_, known)| *known == error);
                watch.failure = Some((now, error.clone()));
                if known && !changed { Found::Nothing } else { Found::Refused(error) }
            }
        }
    }

    /// Why what is in the files now is not in use.
    pub(super) fn failure(&self) -> Option<(Moment, String)> {
        self.watch().failure.clone()
    }

    /// Whether it is the first time that this is asked of what is in use.
    pub(super) fn says_expiry(&self) -> bool {
        !std::mem::replace(&mut self.watch().expiry_said, true)
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        // What a change leaves half done is read again.
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
