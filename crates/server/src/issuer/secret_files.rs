//! Files with secrets of the service itself, which are no signing keys: in the key directory, or beside the database where that
//! cannot be written.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::error::KeyError;

/// Where they are made if the key directory cannot be written: beside the database.
const BESIDE_DATABASE: &str = "trail-keys";

/// Where they are made if the key directory cannot be written.
pub(super) fn beside(database: &Path) -> PathBuf {
    database.parent().unwrap_or(Path::new(".")).join(BESIDE_DATABASE)
}

/// Makes a file in the key directory, or beside the database where that cannot be written.
pub(super) fn in_one_of<T>(
    key_directory: &Path,
    beside: &Path,
    make: impl Fn(&Path) -> Result<T, KeyError>,
) -> Result<T, KeyError> {
    let make = |directory: &Path| {
        make_directory(directory)?;
        make(directory)
    };
    match make(key_directory) {
        Err(KeyError::Io(_, cause)) if cannot_be_written(&cause) => {
            tracing::warn!(
                %cause,
                directory = %beside.display(),
                "the key directory cannot be written: what the service needs there is made beside the database; move it \
                 into the key directory"
            );
            make(beside)
        }
        result => result,
    }
}

/// Makes the file `name`, for its owner alone: all of it or nothing.
pub(super) fn write(directory: &Path, name: &str, bytes: &[u8]) -> Result<(), KeyError> {
    let failed = |error| KeyError::Io(directory.to_owned(), error);
    let unfinished = directory.join(format!(".{name}"));
    let mut file = OpenOptions::new()
        .write(true)
        // One that an earlier attempt left is written anew.
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)
        .map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&unfinished, directory.join(name)).map_err(failed)?;
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)
}

fn make_directory(directory: &Path) -> Result<(), KeyError> {
    if directory.is_dir() {
        return Ok(());
    }
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(|error| KeyError::Io(directory.to_owned(), error))
}

fn cannot_be_written(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied)
}
