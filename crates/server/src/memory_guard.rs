//! Keeps what is secret in this process's memory out of files and away from other processes of its user.
//!
//! The private keys are in memory as long as the process runs, because it signs with them, and the API token of a
//! caller as long as its request's headers are. What is read from or written to a key file is zeroed at once.

use rustix::process::{Resource, Rlimit, setrlimit};

/// No core dump, whatever the system would do with one: the limit is for files, and a system that hands dumps to
/// a program asks whether the process may be dumped. Then no other process of the same user can attach to it, or
/// read its memory, either.
pub fn forbid_dumps() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(cause) = setrlimit(Resource::Core, none) {
        tracing::warn!(%cause, "core dumps are not off");
    }
    #[cfg(target_os = "linux")]
    if let Err(cause) =
        rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
    {
        tracing::warn!(%cause, "other processes of this user can read the memory of this one");
    }
}
