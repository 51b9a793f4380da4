//! Why the database did not do something.

use super::fault::{Fault, fault};

/// What is kept free on the database's file system for revocations, in bytes: below it, requests and evidence are
/// refused.
pub(super) const MIN_FREE_BYTES: u64 = 64 * 1024 * 1024;

/// Why the database did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It failed.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// Its schema could not be brought up to date.
    #[error("database schema: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A row was to be changed that is not in the state it was to be in: somebody else was first.
    #[error("expected to change one row, changed {0}")]
    RowsAffected(u64),
    /// The chain of events has no beginning: an earlier version, or another program, wrote `positions`.
    #[error("the chain of events has no head in `positions`: restart the service, which begins it")]
    NoHead,
    /// Another version made it.
    #[error(
        "another version of the service made this database: it lacks {missing} migrations of this one, and has {unknown} \
         that this one does not know; use that version's program, or start this version's service once"
    )]
    OtherVersion {
        /// How many migrations it lacks.
        missing: usize,
        /// How many it has that are not known here.
        unknown: usize,
    },
    /// What little space is left is kept for revocations.
    #[error("the file system of the database has less than {} MiB free", MIN_FREE_BYTES >> 20)]
    LowSpace,
}

impl StoreError {
    /// The storage fault that it is, if it is one.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        match self {
            StoreError::Database(error) => fault(error),
            StoreError::Migration(_)
            | StoreError::RowsAffected(_)
            | StoreError::NoHead
            | StoreError::OtherVersion { .. }
            | StoreError::LowSpace => None,
        }
    }
}
