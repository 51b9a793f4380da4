//! The files of a restore: a backup is copied beside the database, made ready there, and then takes its place; what was
//! there stays beside it under another name.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::clock::{Moment, rfc3339};
use crate::store::maintenance::MaintenanceError;

/// The files that SQLite keeps beside a database.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// `path` with more at its end.
pub(super) fn with(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// A copy of a backup that is made ready. Dropped, it is removed.
#[derive(Debug)]
pub(super) struct Staged {
    /// The copy.
    pub(super) path: PathBuf,
    /// Whose place it takes.
    database: PathBuf,
}

impl Staged {
    /// Copies the backup of this database out of `from`, for its owner alone.
    pub(super) fn copy(from: &Path, database: &Path) -> Result<Staged, MaintenanceError> {
        let backup = from.join(database.file_name().unwrap_or_default());
        let path = with(database, ".restoring");
        let staged = Staged { path: path.clone(), database: database.to_owned() };
        staged.remove();
        for ending in ["", "-wal"] {
            let (source, copy) = (with(&backup, ending), with(&path, ending));
            if ending.is_empty() || source.exists() {
                let failed = |error| MaintenanceError::File { path: source.clone(), error };
                fs::copy(&source, &copy).map_err(failed)?;
                fs::set_permissions(&copy, Permissions::from_mode(0o600)).map_err(failed)?;
            }
        }
        Ok(staged)
    }

    /// Takes the database's place, and returns the name that what was there has now.
    ///
    /// Broken off in between, the database has either its old content, or two names, with which no service starts.
    pub(super) fn take_its_place(self, now: Moment) -> Result<Option<PathBuf>, MaintenanceError> {
        let failed = |error| MaintenanceError::File { path: self.database.clone(), error };
        File::open(&self.path).and_then(|file| file.sync_all()).map_err(failed)?;
        let kept = self.set_aside(now).map_err(failed)?;
        fs::rename(&self.path, &self.database).map_err(failed)?;
        let directory = self.database.parent().filter(|path| *path != Path::new(""));
        let directory = File::open(directory.unwrap_or(Path::new(".")));
        directory.and_then(|directory| directory.sync_all()).map_err(failed)?;
        Ok(kept)
    }

    fn set_aside(&self, now: Moment) -> io::Result<Option<PathBuf>> {
        let database = &self.database;
        if !database.exists() {
            // The journal of another database must not be taken for this one's.
            return BESIDE
                .iter()
                .try_for_each(|ending| gone(&with(database, ending)))
                .map(|()| None);
        }
        let time = rfc3339(now.seconds()).replace(':', "");
        let mut kept = with(database, &format!(".replaced-{time}"));
        for number in 2..1000 {
            if !kept.exists() {
                break;
            }
            kept = with(database, &format!(".replaced-{time}-{number}"));
        }
        // Before the other database has the name: SQLite finds a journal by its name.
        for ending in BESIDE {
            match fs::rename(with(database, ending), with(&kept, ending)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        // It fails where the name is taken.
        fs::hard_link(database, &kept)?;
        Ok(Some(kept))
    }

    fn remove(&self) {
        for ending in ["", "-wal", "-shm"] {
            let _ = gone(&with(&self.path, ending));
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        self.remove();
    }
}

fn gone(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
