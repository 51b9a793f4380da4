//! Who can change what is in the key directory: whoever can put a file there could choose the key that signs.
//!
//! 1. The directory, and each key file, is root's or the service's own. A file of another user is no key, so
//!    nobody else can add one, whatever the mode of the directory is.
//! 2. The directory is not writable for all.
//! 3. The directory is not writable for its group, unless the service is in that group. That is how Kubernetes
//!    mounts a volume with `fsGroup` (mode 02775 and the pod's own group). Members of it can take keys away and
//!    rename them, and neither read nor add one; the log says so.
//! 4. A directory above it that is writable for all, without the sticky bit, is a warning: some provisioners of
//!    volumes make such. Whoever can rename the key directory has none of the service's own to put in its place.
//! 5. On a file system that is mounted read-only, modes count for nothing: Kubernetes mounts secrets with 01777.
//!
//! An access control list shows in the mode as rights of the group, and is judged like these.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{StatVfsMountFlags, statvfs};
use rustix::process::{getegid, geteuid, getgroups};

use super::error::KeyError;

const GROUP_WRITES: u32 = 0o020;
const ALL_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// Who the service is.
#[derive(Debug, Clone)]
struct Us {
    uid: u32,
    groups: Vec<u32>,
}

/// What counts of a directory.
#[derive(Debug, Clone, Copy)]
struct Entry {
    uid: u32,
    gid: u32,
    mode: u32,
    read_only: bool,
}

/// Why a directory is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Owner(u32),
    Group(u32),
    All,
}

impl Us {
    fn now() -> Us {
        let mut groups = vec![getegid().as_raw()];
        // Without the list fewer groups are ours, which refuses more.
        groups.extend(getgroups().unwrap_or_default().into_iter().map(|group| group.as_raw()));
        Us { uid: geteuid().as_raw(), groups }
    }

    fn trusts(&self, uid: u32) -> bool {
        uid == 0 || uid == self.uid
    }
}

impl Entry {
    fn of(path: &Path) -> std::io::Result<Entry> {
        let metadata = fs::metadata(path)?;
        let read_only =
            statvfs(path).is_ok_and(|mount| mount.f_flag.contains(StatVfsMountFlags::RDONLY));
        Ok(Entry { uid: metadata.uid(), gid: metadata.gid(), mode: metadata.mode(), read_only })
    }

    fn writable(self, bits: u32) -> bool {
        !self.read_only && self.mode & bits != 0
    }

    /// As the key directory. `Ok(true)` if members of the service's group can write to it.
    fn judge(self, us: &Us) -> Result<bool, Fault> {
        if !us.trusts(self.uid) {
            return Err(Fault::Owner(self.uid));
        }
        if self.writable(ALL_WRITE) {
            return Err(Fault::All);
        }
        let group = self.writable(GROUP_WRITES);
        if group && !us.groups.contains(&self.gid) {
            return Err(Fault::Group(self.gid));
        }
        Ok(group)
    }

    /// As a directory above it: whether any user can rename what is in it.
    fn is_open(self) -> bool {
        self.writable(ALL_WRITE) && self.mode & STICKY == 0
    }
}

/// Refuses a key directory in which others can put or rename files. What is only a warning is in the log.
///
/// # Errors
/// [`KeyError::Writable`] or [`KeyError::Foreign`], with what mends it.
pub(super) fn check_directory(path: &Path) -> Result<(), KeyError> {
    for warning in judge_directory(path)? {
        tracing::warn!("{warning}");
    }
    Ok(())
}

/// The same; what is only a warning is returned, in words for the operator.
///
/// # Errors
/// [`KeyError::Writable`] or [`KeyError::Foreign`], with what mends it.
pub(super) fn judge_directory(path: &Path) -> Result<Vec<String>, KeyError> {
    let failed = |error| KeyError::Io(path.to_owned(), error);
    let us = Us::now();
    let whole = fs::canonicalize(path).map_err(failed)?;
    let refuse = |place: &Path, fault| match fault {
        Fault::Owner(uid) => KeyError::Foreign { path: place.to_owned(), uid, us: us.uid },
        Fault::Group(gid) => KeyError::Writable {
            path: place.to_owned(),
            who: format!("the group {gid}"),
            bits: "g",
        },
        Fault::All => {
            KeyError::Writable { path: place.to_owned(), who: "any user".to_owned(), bits: "o" }
        }
    };
    let shared = Entry::of(&whole).map_err(failed)?.judge(&us).map_err(|f| refuse(&whole, f))?;
    let mut warnings = Vec::new();
    for above in whole.ancestors().skip(1) {
        if Entry::of(above).is_ok_and(Entry::is_open) {
            warnings.push(format!(
                "{}: any user can rename the key directory, and so take the keys away: `chmod o-w` this one",
                above.display()
            ));
        }
    }
    if shared {
        warnings.push(format!(
            "{}: members of the service's own group can take signing keys away and rename them: `chmod g-w` it, \
             unless the platform needs that mode",
            whole.display()
        ));
    }
    Ok(warnings)
}

/// Refuses a key file that somebody else has put there, or can read.
///
/// # Errors
/// [`KeyError::Foreign`] or [`KeyError::Exposed`].
pub(super) fn check_file(path: &Path) -> Result<(), KeyError> {
    let metadata = fs::metadata(path).map_err(|error| KeyError::Io(path.to_owned(), error))?;
    let us = Us::now();
    if !us.trusts(metadata.uid()) {
        return Err(KeyError::Foreign { path: path.to_owned(), uid: metadata.uid(), us: us.uid });
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(KeyError::Exposed(path.to_owned()));
    }
    Ok(())
}

/// As [`check_file`], and members of a group of the service's own may read it: so Kubernetes mounts a secret for a
/// service that is not root.
///
/// # Errors
/// [`KeyError::Foreign`] or [`KeyError::Exposed`].
pub(crate) fn check_shared_file(path: &Path) -> Result<(), KeyError> {
    let metadata = fs::metadata(path).map_err(|error| KeyError::Io(path.to_owned(), error))?;
    let us = Us::now();
    if !us.trusts(metadata.uid()) {
        return Err(KeyError::Foreign { path: path.to_owned(), uid: metadata.uid(), us: us.uid });
    }
    let own_group = us.groups.contains(&metadata.gid());
    let refused = if own_group { 0o037 } else { 0o077 };
    if metadata.mode() & refused != 0 {
        return Err(KeyError::Exposed(path.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: u32 = 65532;
    const OURS: u32 = 500;

    fn judge(uid: u32, gid: u32, mode: u32) -> Result<bool, Fault> {
        let us = Us { uid: US, groups: vec![US, OURS] };
        Entry { uid, gid, mode, read_only: false }.judge(&us)
    }

    #[test]
    fn only_root_the_service_and_its_group_may_write() {
        for (uid, gid, mode, expected) in [
            (US, US, 0o40700, Ok(false)),
            (US, 7, 0o42755, Ok(false)),
            (0, 0, 0o40755, Ok(false)),
            // A volume of Kubernetes with `fsGroup`, and a directory of a group that the service is in.
            (0, US, 0o42775, Ok(true)),
            (US, OURS, 0o40770, Ok(true)),
            (US, 7, 0o40770, Err(Fault::Group(7))),
            (0, 0, 0o40775, Err(Fault::Group(0))),
            (US, US, 0o40777, Err(Fault::All)),
            (US, US, 0o41777, Err(Fault::All)),
            (US, US, 0o40702, Err(Fault::All)),
            (7, US, 0o40700, Err(Fault::Owner(7))),
            (7, 7, 0o40777, Err(Fault::Owner(7))),
        ] {
            assert_eq!(judge(uid, gid, mode), expected, "{uid} {gid} {mode:o}");
        }
    }

    #[test]
    fn where_nobody_can_write_modes_count_for_nothing() {
        let us = Us { uid: US, groups: vec![US] };
        let secret = Entry { uid: 0, gid: 0, mode: 0o41777, read_only: true };
        assert_eq!(secret.judge(&us), Ok(false));
        assert_eq!(Entry { uid: 7, ..secret }.judge(&us), Err(Fault::Owner(7)));
    }

    #[test]
    fn above_it_only_the_owner_of_an_entry_should_rename_it() {
        let open = |mode, read_only| Entry { uid: 7, gid: 7, mode, read_only }.is_open();
        assert!(!open(0o40755, false) && !open(0o41777, false) && !open(0o40777, true));
        assert!(open(0o40777, false));
    }
}
