//! The databases: their files, whether they can be read, and the space that is left beside them.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{Access, access, statvfs};

use super::report::{Finding, Report, quoted};
use crate::clock::Moment;
use crate::config::Config;
use crate::store::maintenance::{self, MaintenanceError};

/// How little free space is a finding, in bytes: the service refuses what is not needed to end a grant at an eighth of it.
const LOW_SPACE: u64 = 512 * 1024 * 1024;

/// How few free files of a file system that counts them are a finding.
const LOW_FILES: u64 = 1000;

/// With what a file of SQLite begins (the SQLite database file format, section 1.3).
const SQLITE: &[u8; 16] = b"SQLite format 3\0";

/// What to do about a database that is lost.
const RESTORE: &str = "stop the service, and put a backup in its place (`breakglass database backup` made it): `breakglass database restore \
     --config PATH --from DIR`";

/// The time of the last event, if there is one that can be read.
pub(super) async fn look(config: &Config, report: &mut Report) -> Option<Moment> {
    let evidence = config.evidence_path();
    let mut file_systems = Vec::new();
    for (field, path) in [("database", &config.database), ("evidence_database", &evidence)] {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        space(folder, &mut file_systems, report);
        file(field, path, folder, report);
    }
    if !config.database.exists() {
        return None;
    }
    read(&config.database, report).await
}

fn space(folder: &Path, seen: &mut Vec<u64>, report: &mut Report) {
    let shown = quoted(folder);
    let disk = match statvfs(folder) {
        Ok(disk) => disk,
        Err(error) => {
            return report.not_checked(format!("free space of {shown}"), error.to_string());
        }
    };
    // Both databases are mostly in one.
    let device = fs::metadata(folder).map_or(0, |metadata| metadata.dev());
    if seen.contains(&device) {
        return;
    }
    seen.push(device);
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    report.checked((free < LOW_SPACE).then(|| {
        Finding::new(
            format!(
                "{shown}: expected at least {} MiB free, got {} MiB: with less than 64 MiB requests, approvals and \
                 tokens are refused",
                LOW_SPACE >> 20,
                free >> 20
            ),
            format!("make room on this file system, or enlarge it: `df -h {shown}`"),
        )
    }));
    // Some file systems, such as btrfs, do not count files.
    let few = disk.f_files > 0 && disk.f_favail < LOW_FILES;
    report.checked(few.then(|| {
        Finding::new(
            format!(
                "{shown}: expected at least {LOW_FILES} free inodes, got {}: no file can be made there soon",
                disk.f_favail
            ),
            format!("remove files on this file system: `df -i {shown}`"),
        )
    }));
}

fn file(field: &str, path: &Path, folder: &Path, report: &mut Report) {
    let shown = quoted(path);
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return report.checked([Finding::new(
                format!("{field}: {shown} is not there"),
                format!("start the service, which makes it at its first start; if it was there before: {RESTORE}"),
            )]);
        }
        Err(error) => return report.not_checked(format!("{field} {shown}"), error.to_string()),
    };
    let mode = metadata.mode() & 0o777;
    report.checked((mode & 0o077 != 0).then(|| {
        Finding::new(
            format!(
                "{field}: {shown} has the mode {mode:03o}, so other users can read who had access to what, and why"
            ),
            format!("chmod 600 {shown}"),
        )
    }));
    let sqlite = begins_as_sqlite(path);
    report.checked(match sqlite {
        Ok(true) => None,
        Ok(false) => Some(Finding::new(format!("{field}: {shown} is no SQLite database"), RESTORE)),
        Err(error) => Some(Finding::new(
            format!("{field}: {shown} cannot be read: {error}"),
            format!("make it readable for the service's user: `ls -l {shown}`"),
        )),
    });
    let writable =
        [path, folder].into_iter().filter(|path| access(*path, Access::WRITE_OK).is_err());
    report.checked(writable.map(|path| {
        let shown = quoted(path);
        Finding::new(
            format!(
                "{field}: the service's user cannot write to {shown}: no revocation can be written"
            ),
            format!(
                "chmod u+w {shown}, or mount its file system for writing: `findmnt -T {shown}`"
            ),
        )
    }));
}

/// An empty file is one that a start has just made.
fn begins_as_sqlite(path: &Path) -> io::Result<bool> {
    let mut begin = Vec::new();
    File::open(path)?.take(16).read_to_end(&mut begin)?;
    Ok(begin.is_empty() || begin == SQLITE)
}

/// Reads the grants that live and the last event: its time. `breakglass database check` reads all of the file.
async fn read(path: &Path, report: &mut Report) -> Option<Moment> {
    let read = async {
        maintenance::live_grants(path).await?;
        maintenance::last_event(path).await
    };
    let (last, error) = match read.await {
        Ok(last) => (last, None),
        Err(error) => (None, Some(error)),
    };
    report.checked(error.map(|error| unreadable(path, &error)));
    last
}

fn unreadable(path: &Path, error: &MaintenanceError) -> Finding {
    let shown = quoted(path);
    let cause = error.to_string();
    let fix = if cause.contains("no such table") || cause.contains("no such column") {
        "it is of an earlier version: start the service of this version once, which brings it up to date".to_owned()
    } else {
        format!("see what is damaged: `sqlite3 {shown} 'PRAGMA integrity_check'`; {RESTORE}")
    };
    Finding::new(format!("database: {cause}"), fix)
}
