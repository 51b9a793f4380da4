//! What is looked at of one request at most.

/// The most readings of paths and hosts that the headers of one request may have together; one that has
/// more counts as every path and every host.
pub(super) const MAX_SECOND: usize = 32;
