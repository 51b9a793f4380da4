//! What the structure of this checkout is held to.
#![expect(clippy::unwrap_used, reason = "test code: what is not as expected ends the test")]

mod circles;
mod crates;
mod layers;
mod reads;

use std::path::{Path, PathBuf};

/// The root of the checkout.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}
