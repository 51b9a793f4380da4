//! The file of a session: `~/.local/state/breakglass/sessions/`, one for each service.
//!
//! A change is made by who holds the lock, a file of its own that stays: a reader needs none, because a new file is written
//! beside the old one and then renamed.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use breakglass_server::session_token::sha256;
use tokio::time::Instant;

use super::stored::StoredSession;
use crate::client::Failure;
use crate::xdg::{self, Forbidden};

/// How long to wait for another command line that changes the session: longer than a refresh may take.
const PATIENCE: Duration = Duration::from_secs(40);

/// How often to look whether it is done.
const LOOK: Duration = Duration::from_millis(20);

/// How many characters of a host's name are in the name of a file.
const NAME: usize = 80;

/// Where the session of one service is.
#[derive(Debug, Clone)]
pub(crate) struct SessionFile {
    folder: PathBuf,
    path: PathBuf,
}

/// The right to change it.
#[derive(Debug)]
pub(crate) struct Locked<'a> {
    file: &'a SessionFile,
    /// Unlocked where it is closed, however the process ends.
    _lock: File,
}

impl SessionFile {
    /// The file for the service at `url`; nothing where no variable says where it would be.
    pub(crate) fn of(url: &str) -> Option<SessionFile> {
        let folder = xdg::state_folder()?.join("sessions");
        let path = folder.join(name(url));
        Some(SessionFile { folder, path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The session; nothing where there is none.
    ///
    /// # Errors
    /// [`Failure::Failed`] where others can read it, or it is not what this program writes.
    pub(crate) fn read(&self) -> Result<Option<StoredSession>, Failure> {
        self.read_if(|metadata| {
            xdg::check_private(metadata, Forbidden::All)
                .map_err(|cause| format!("{cause}, and sign in again after `breakglass logout`"))
        })
    }

    /// The session, also where others can read it: to end it.
    ///
    /// # Errors
    /// [`Failure::Failed`] where it is not what this program writes.
    pub(crate) fn read_to_end_it(&self) -> Result<Option<StoredSession>, Failure> {
        self.read_if(|_| Ok(()))
    }

    fn read_if(
        &self,
        check: impl FnOnce(&Metadata) -> Result<(), String>,
    ) -> Result<Option<StoredSession>, Failure> {
        let failed =
            |cause: &str| Failure::Failed(format!("the session {}: {cause}", self.path.display()));
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(&error.to_string())),
        };
        let metadata = file.metadata().map_err(|error| failed(&error.to_string()))?;
        check(&metadata).map_err(|cause| failed(&cause))?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(|error| failed(&error.to_string()))?;
        let read = serde_json::from_str(&text).map_err(|_| {
            failed("expected what `breakglass login` writes, got something else: remove the file, and sign in again")
        });
        read.map(Some)
    }

    /// Waits until no other command line changes it.
    ///
    /// # Errors
    /// [`Failure::Failed`] where the folder is not private, or the time to wait is over.
    pub(crate) fn lock(&self) -> Result<Locked<'_>, Failure> {
        self.make_folder()?;
        let path = self.path.with_extension("lock");
        let failed = |cause: &str| Failure::Failed(format!("{}: {cause}", path.display()));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let lock = options.open(&path).map_err(|error| failed(&error.to_string()))?;
        let start = Instant::now();
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(Locked { file: self, _lock: lock }),
                Err(TryLockError::WouldBlock) if start.elapsed() < PATIENCE => sleep(LOOK),
                Err(TryLockError::WouldBlock) => {
                    let seconds = PATIENCE.as_secs();
                    return Err(failed(&format!(
                        "another breakglass has changed this session for {seconds} s: end that one, or try again"
                    )));
                }
                Err(TryLockError::Error(error)) => return Err(failed(&error.to_string())),
            }
        }
    }

    fn make_folder(&self) -> Result<(), Failure> {
        let folder = &self.folder;
        let failed = |cause: &str| Failure::Failed(format!("{}: {cause}", folder.display()));
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| failed(&error.to_string()))?;
        let metadata = fs::metadata(folder).map_err(|error| failed(&error.to_string()))?;
        xdg::check_private(&metadata, Forbidden::All).map_err(|cause| failed(&cause))
    }
}

impl Locked<'_> {
    pub(crate) fn read(&self) -> Result<Option<StoredSession>, Failure> {
        self.file.read()
    }

    /// Puts this session into the place of the one before.
    ///
    /// # Errors
    /// [`Failure::Failed`] where it cannot be written: the one before is still there.
    pub(crate) fn write(&self, session: &StoredSession) -> Result<(), Failure> {
        let new = self.file.path.with_extension("new");
        let written = serde_json::to_vec(session).map_err(io::Error::other).and_then(|bytes| {
            // Of a process that ended before it was renamed.
            remove(&new)?;
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&new, &self.file.path)
        });
        written.map_err(|error| {
            let path = self.file.path.display();
            Failure::Failed(format!("the session cannot be kept in {path}: {error}"))
        })
    }

    /// Takes the session from this machine.
    ///
    /// # Errors
    /// [`Failure::Failed`] where the file is still there.
    pub(crate) fn remove(&self) -> Result<(), Failure> {
        let path = &self.file.path;
        remove(path).map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// A name that people recognise, and that is of one URL alone.
fn name(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let authority = authority.to_ascii_lowercase();
    let plain = |character: char| match character {
        'a'..='z' | '0'..='9' | '.' | '-' => character,
        _ => '_',
    };
    let host: String = authority.chars().map(plain).take(NAME).collect();
    let digest = sha256(&format!("{scheme}://{authority}{path}"));
    let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{host}-{digest}.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_has_a_file_of_its_own() {
        let one = name("https://approvals.internal");
        assert!(one.starts_with("approvals.internal-") && one.ends_with(".json"), "{one}");
        assert_eq!(one, name("https://Approvals.Internal"));
        for other in [
            "http://approvals.internal",
            "https://approvals.internal/x",
            "https://approvals.internal:8443",
            "https://approvals-internal",
        ] {
            assert_ne!(one, name(other), "{other}");
        }
        let long = name(&format!("https://{}/..", "x".repeat(500)));
        assert!(long.len() < 120 && !long.contains('/'), "{long}");
    }
}
