//! One database, one service process: a lock beside the file, which the system releases however the process
//! ends.
//!
//! `flock(2)` on a file of its own, never on the database: closing any descriptor of that would drop SQLite's
//! own locks. The lock file is named after the file that the path leads to, so links and other spellings of a
//! path meet. A hard link would not, and is refused: SQLite keeps its journal by name, so the same file under
//! two names is not one database. On a network file system it is only as good as its locks are: do not.
//!
//! The file stays where it is. To remove it while a process holds it would let a second one in.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use crate::clock::{Moment, rfc3339};

/// How much of what the holder says of itself is repeated.
const MAX_WORDS: u64 = 512;

/// The lock, held as long as this is.
#[derive(Debug)]
pub struct DatabaseLock {
    file: File,
    since: Moment,
}

/// Why the database cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum NotLocked {
    /// Another process has it.
    #[error(
        "{database} is in use by another process ({holder}): one database is for one service process; stop that \
         one, or give this one a database of its own", database = .database.display()
    )]
    Held {
        /// The database.
        database: PathBuf,
        /// What that one says of itself.
        holder: String,
    },
    /// The file has several names.
    #[error(
        "{database} has {links} names (hard links): under another name SQLite does not find its journal, and \
         changes are lost; remove the other names (`find -samefile`), and make backups with `.backup`",
        database = .database.display()
    )]
    Linked {
        /// The database.
        database: PathBuf,
        /// How many.
        links: u64,
    },
    /// The lock file cannot be had.
    #[error("{path}: {error}", path = .path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl DatabaseLock {
    /// Takes the lock of the database at `path`, which need not be there yet.
    ///
    /// # Errors
    /// [`NotLocked`] says who has it, or what is wrong.
    pub fn take(path: &Path, now: Moment) -> Result<DatabaseLock, NotLocked> {
        let database = real(path).map_err(|error| unreadable(path, error))?;
        let links = fs::metadata(&database).map_or(1, |metadata| metadata.nlink());
        if links > 1 {
            return Err(NotLocked::Linked { database, links });
        }
        let mut lock_path = database.clone().into_os_string();
        lock_path.push(".lock");
        let lock_path = PathBuf::from(lock_path);
        let failed = |error| unreadable(&lock_path, error);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(&lock_path)
            .map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(DatabaseLock { file, since: now }),
            Err(Errno::WOULDBLOCK) => Err(NotLocked::Held { database, holder: holder(&mut file) }),
            Err(error) => Err(failed(error.into())),
        }
    }

    /// Says in the lock file who holds it: for the message to the next one, which is why a failure to write it
    /// is none.
    pub fn describe(&mut self, address: &str) {
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let text = format!(
            "process {} on {}, at {address}, since {}\n",
            std::process::id(),
            host.trim(),
            rfc3339(self.since.seconds()),
        );
        let written = self
            .file
            .set_len(0)
            .and_then(|()| self.file.rewind())
            .and_then(|()| self.file.write_all(text.as_bytes()));
        if let Err(cause) = written {
            tracing::warn!(%cause, "the lock file does not say who holds it");
        }
    }
}

/// The file that `path` leads to, also where there is none yet.
fn real(path: &Path) -> io::Result<PathBuf> {
    match path.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    // A symbolic link to a file that is not there yet: SQLite makes that file.
    if let Ok(target) = fs::read_link(path) {
        let directory = path.parent().unwrap_or(Path::new(""));
        return real(&directory.join(target));
    }
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    };
    let directory = if directory == Path::new("") { Path::new(".") } else { directory };
    Ok(directory.canonicalize()?.join(name))
}

fn holder(file: &mut File) -> String {
    let mut words = String::new();
    // It may be written this moment, or by anybody: whatever is there, on one line.
    let _ = file.take(MAX_WORDS).read_to_string(&mut words);
    match words.trim() {
        "" => "it has not said which".to_owned(),
        words => words.replace(|character: char| character.is_control(), " "),
    }
}

fn unreadable(path: &Path, error: io::Error) -> NotLocked {
    NotLocked::Unreadable { path: path.to_owned(), error }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn now() -> Moment {
        Moment::from_seconds(1_795_313_580)
    }

    #[test]
    fn however_the_file_is_called_it_has_one_lock() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("sub")).unwrap();
        symlink(at("real.db"), at("link.db")).unwrap();
        symlink("../link.db", at("sub/link.db")).unwrap();
        for exists in [false, true] {
            let mut lock = DatabaseLock::take(&at("real.db"), now()).unwrap();
            lock.describe("http://127.0.0.1:8080");
            for path in ["real.db", "link.db", "sub/link.db", "sub/../real.db", "./real.db"] {
                let refused = DatabaseLock::take(&at(path), now()).unwrap_err().to_string();
                for words in [
                    format!("process {} on ", std::process::id()),
                    "at http://127.0.0.1:8080, since 2026-11-22T02:13:00Z".to_owned(),
                ] {
                    assert!(refused.contains(&words), "{exists} {path}: {refused}");
                }
            }
            DatabaseLock::take(&at("other.db"), now()).unwrap();
            drop(lock);
            DatabaseLock::take(&at("sub/link.db"), now()).unwrap();
            fs::write(at("real.db"), "").unwrap();
        }
        let mode = fs::metadata(at("real.db.lock")).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_file_with_two_names_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("a.db"), "").unwrap();
        fs::hard_link(at("a.db"), at("b.db")).unwrap();
        for name in ["a.db", "b.db"] {
            let refused = DatabaseLock::take(&at(name), now());
            assert!(matches!(refused, Err(NotLocked::Linked { links: 2, .. })), "{refused:?}");
        }
        fs::remove_file(at("b.db")).unwrap();
        DatabaseLock::take(&at("a.db"), now()).unwrap();
    }

    #[test]
    fn no_link_leads_the_lock_elsewhere() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        symlink(at("precious"), at("a.db.lock")).unwrap();
        fs::write(at("precious"), "data").unwrap();
        let refused = DatabaseLock::take(&at("a.db"), now());
        assert!(matches!(refused, Err(NotLocked::Unreadable { .. })), "{refused:?}");
        assert_eq!(fs::read_to_string(at("precious")).unwrap(), "data");
        let missing = DatabaseLock::take(&at("nowhere/a.db"), now());
        assert!(matches!(missing, Err(NotLocked::Unreadable { .. })), "{missing:?}");
    }
}
