//! People whose grants do not end although they lost a group, as the database had them when it was looked at last: for the
//! metric, and for `/healthz?detail=1`.

use std::sync::{Mutex, PoisonError};

use crate::store::HeldEnd;

/// All of them, by group and name.
#[derive(Debug, Default)]
pub struct HeldEnds(Mutex<Vec<HeldEnd>>);

impl HeldEnds {
    /// These are all.
    pub(crate) fn put(&self, ends: Vec<HeldEnd>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = ends;
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<HeldEnd> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
