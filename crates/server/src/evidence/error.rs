//! Why there is no evidence, or it is not taken.

use crate::problem::{Problem, Reason};
use crate::store::StoreError;

use super::Quota;

/// Why the evidence database did not do it.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// Its file is not open.
    #[error("the evidence database is not open")]
    Unavailable,
    /// It refused, or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The credential has had its share.
    #[error("{0}")]
    Quota(#[from] Quota),
}

impl From<sqlx::Error> for EvidenceError {
    fn from(error: sqlx::Error) -> EvidenceError {
        EvidenceError::Store(error.into())
    }
}

impl From<sqlx::migrate::MigrateError> for EvidenceError {
    fn from(error: sqlx::migrate::MigrateError) -> EvidenceError {
        EvidenceError::Store(error.into())
    }
}

impl From<EvidenceError> for Problem {
    fn from(error: EvidenceError) -> Problem {
        match error {
            EvidenceError::Unavailable => Problem::new(
                Reason::EvidenceUnavailable,
                "the evidence database is not open yet, or cannot be opened: the service's log has the cause; \
                 revocations and approvals go on",
            ),
            EvidenceError::Quota(quota) => Problem::new(Reason::EvidenceQuota, quota.to_string()),
            EvidenceError::Store(error) => error.into(),
        }
    }
}
