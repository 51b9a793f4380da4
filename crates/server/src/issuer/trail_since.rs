//! Since when the trail of a service is chained: a file beside the trail's keys, out of reach of who can write the database
//! alone. Who takes all links away makes the service begin another chain; what that chain covers as being of before is no
//! proof of an approval if it is later than this.

use std::fs;
use std::io;
use std::path::Path;

use super::access::check_shared_file;
use super::error::KeyError;
use super::secret_files;
use crate::clock::{Moment, parse_rfc3339, rfc3339};

/// The file's name.
const NAME: &str = "trail-since";

/// What the file in this directory says; nothing without one.
pub(super) fn read(directory: &Path) -> Result<Option<Moment>, KeyError> {
    let path = directory.join(NAME);
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text.map_err(|error| KeyError::Io(path.clone(), error))?,
    };
    check_shared_file(&path)?;
    parse_rfc3339(text.trim()).map(Some).ok_or(KeyError::InvalidSince(path))
}

/// Makes the file.
pub(super) fn write(directory: &Path, now: Moment) -> Result<(), KeyError> {
    // The next second: a file that is read has whole ones.
    let line = format!("{}\n", rfc3339(now.seconds().saturating_add(1)));
    secret_files::write(directory, NAME, line.as_bytes())
}
