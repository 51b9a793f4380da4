//! Where files of a person are (XDG Base Directory Specification 0.8), and who else can reach them.

use std::env;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

/// The folder of this program's configuration: `$XDG_CONFIG_HOME/breakglass` or `~/.config/breakglass`. Nothing where neither
/// variable is an absolute path.
#[must_use]
pub(crate) fn config_folder() -> Option<PathBuf> {
    base("XDG_CONFIG_HOME", ".config")
}

/// The folder of what it keeps: `$XDG_STATE_HOME/breakglass` or `~/.local/state/breakglass`.
#[must_use]
pub(crate) fn state_folder() -> Option<PathBuf> {
    base("XDG_STATE_HOME", ".local/state")
}

/// The specification has relative paths ignored.
fn base(variable: &str, below_home: &str) -> Option<PathBuf> {
    let absolute =
        |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute(variable).or_else(|| Some(absolute("HOME")?.join(below_home)))?;
    Some(base.join("breakglass"))
}

/// The permissions that group and others have to a file.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Forbidden {
    /// They can change it.
    Write = 0o022,
    /// They can do anything with it.
    All = 0o077,
}

/// Whether the file is this user's or root's, and others have no more than they may; in words where not.
///
/// # Errors
/// Says what is wrong and which command fixes it, after the path.
pub(crate) fn check_private(metadata: &Metadata, forbidden: Forbidden) -> Result<(), String> {
    let (owner, user) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner != user && owner != 0 {
        return Err(format!("expected a file of yours, got one of the user with the id {owner}"));
    }
    let (verb, fix) = match forbidden {
        Forbidden::Write => ("change", "go-w"),
        Forbidden::All => ("read or change", "go="),
    };
    match metadata.mode() & forbidden as u32 {
        0 => Ok(()),
        _ => Err(format!(
            "others can {verb} it (mode {:o}): take that from them with `chmod {fix}`",
            metadata.mode() & 0o777
        )),
    }
}
