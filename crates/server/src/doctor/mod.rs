//! `breakglass doctor`: what is wrong with an installation, from its configuration, its files and its databases, each with
//! what fixes it.
//!
//! 1. Nothing is changed, and the service may run. Beside the database of one that does not, SQLite leaves its `-shm` and
//!    `-wal`, as any reader does.
//! 2. A file that cannot be looked at is said as such: it is no finding, and not healthy either.
//! 3. Files are judged as the service's user sees them. For another user, also for root, they are not looked at: reading a
//!    database as root can leave files beside it that the service cannot open.

mod clock;
mod configuration;
mod incidents;
mod keys;
mod on_call;
mod report;
mod sinks;
mod storage;
mod tls;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::process::geteuid;

use crate::clock::Moment;
use crate::config::Config;
use crate::reload::ConfigFile;

pub use report::{Finding, NotChecked, Report, quoted};

/// Looks at the installation whose configuration is at `path`. The configuration is for what else is looked at; nothing
/// where it cannot be read.
pub async fn examine(path: &Path, now: Moment, report: &mut Report) -> Option<ConfigFile> {
    let file = configuration::look(path, report)?;
    let config = &file.config;
    tls::look(config, now, report);
    let last_event = match other_user(config) {
        Some(uid) => {
            report.not_checked(
                "keys and databases",
                format!(
                    "they are those of the user {uid}: run this command as that user, such as `sudo -u '#{uid}' \
                     breakglass doctor --config {}`",
                    quoted(path)
                ),
            );
            None
        }
        None => {
            keys::look(config, now, report);
            sinks::look(config, now, report);
            incidents::look(config, report);
            on_call::look(config, report);
            storage::look(config, report).await
        }
    };
    clock::look(config, now, last_event, report);
    Some(file)
}

/// The service's user, by the owner of its database, where that is another one than this process's.
fn other_user(config: &Config) -> Option<u32> {
    let owner = fs::metadata(&config.database).ok()?.uid();
    (owner != geteuid().as_raw()).then_some(owner)
}
