//! What is wrong with a file of the configuration, and where.

use std::fmt;
use std::path::PathBuf;

/// One thing that is wrong with a file of the configuration, or with one that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileError {
    /// The file; the folder, where a field is in none of its files.
    pub file: PathBuf,
    /// Where in it, such as `people[0].name` or `scopes."orders:read".paths[0]`; empty for the whole.
    pub field: String,
    /// What was expected, and what to do.
    pub message: String,
}

impl FileError {
    /// Something is wrong with all of this file.
    #[must_use]
    pub fn whole(file: impl Into<PathBuf>, message: impl Into<String>) -> FileError {
        FileError { file: file.into(), field: String::new(), message: message.into() }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FileError { file, field, message } = self;
        match field.as_str() {
            "" => write!(formatter, "{}: {message}", file.display()),
            field => write!(formatter, "{}: {field}: {message}", file.display()),
        }
    }
}
