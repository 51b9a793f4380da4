//! Reads the structure of a checkout out of its code, for the test that holds it to its rules.
//!
//! ```text
//! source    the files of a crate        -> modules: what each defines, imports and names
//! resolve   a path in a module          -> the file that defines what it names
//! circles   which file uses which       -> files that use each other in a loop
//! manifest  the Cargo.toml of a crate   -> the crates of this workspace that it depends on
//! figures   modules                     -> lines of files and functions
//! ```

mod attributes;
pub mod circles;
pub mod figures;
pub mod manifest;
pub mod resolve;
pub mod source;

use std::path::PathBuf;

/// Why a checkout cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// A file is not there, or cannot be read.
    #[error("{0}: {1}")]
    File(PathBuf, std::io::Error),
    /// A file is not Rust as the parser knows it.
    #[error("{0}: {1}")]
    Rust(PathBuf, syn::Error),
    /// A manifest is not TOML, or lacks what every manifest has.
    #[error("{0}: {1}")]
    Manifest(PathBuf, String),
}
