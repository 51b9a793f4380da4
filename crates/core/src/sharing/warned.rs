//! Warnings about a configuration are logged once in a process, although every VM of it reads the configuration.

use super::{Board, Written};
use crate::config::ConfigDigest;

/// Whether this VM is the first of its process to warn of a configuration. Without a board each VM warns: too often is
/// better than never.
#[must_use]
pub fn is_first_to_warn(board: &dyn Board, digest: Option<ConfigDigest>) -> bool {
    let Some(digest) = digest else { return true };
    let place = format!("breakglass.warned.{}", digest.text());
    board.write(&place, b"1", None) != Written::Conflict
}
