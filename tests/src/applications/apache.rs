//! Apache with mod_dav: files that clients read, write, copy and move.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::{Application, ReservedPort};
use crate::artefacts;

/// The host that Apache takes itself for; a `Destination` on another is another server's.
pub const HOST: &str = "files.internal";

/// Nobody: as root Apache serves as somebody else.
const NOBODY: u32 = 65534;

/// A running Apache.
pub struct Apache {
    /// The application.
    pub application: Application,
}

impl Apache {
    /// Starts one that serves `files`, given by path and content, and lets everybody change them.
    ///
    /// # Panics
    /// When it does not start, or `scripts/fetch-applications` has not fetched it.
    #[must_use]
    pub fn start(files: &[(&str, &str)]) -> Apache {
        let directory = TempDir::new().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for (name, content) in files {
            let path = document(directory.path(), name);
            fs::create_dir_all(path.parent().expect("a directory")).unwrap();
            fs::write(path, content).unwrap();
        }
        fs::create_dir(directory.path().join("locks")).unwrap();
        let is_root = fs::metadata(directory.path()).unwrap().uid() == 0;
        if is_root {
            give_away(directory.path());
        }
        let port = ReservedPort::new();
        let file = directory.path().join("httpd.conf");
        fs::write(&file, configuration(directory.path(), &port.address().to_string(), is_root))
            .unwrap();
        let mut command = Command::new(artefacts::httpd());
        // One process, so that none is left over when it is killed.
        command.arg("-X").arg("-f").arg(file);
        Apache { application: Application::start(command, directory, port, "/") }
    }

    /// What is in a file now, by its path as it is served; `None` where there is none.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<String> {
        fs::read_to_string(document(self.application.directory(), path)).ok()
    }

    /// Removes a file: whether it was there.
    #[must_use]
    pub fn remove(&self, path: &str) -> bool {
        fs::remove_file(document(self.application.directory(), path)).is_ok()
    }

    /// The names of what is in a directory now.
    ///
    /// # Panics
    /// When it is not there.
    #[must_use]
    pub fn files_in(&self, path: &str) -> Vec<String> {
        let entries = fs::read_dir(document(self.application.directory(), path)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        // mod_dav's own.
        let mut names: Vec<String> = names.filter(|name| name != ".DAV").collect();
        names.sort();
        names
    }
}

fn document(directory: &Path, path: &str) -> PathBuf {
    directory.join("documents").join(path.trim_start_matches('/'))
}

fn give_away(directory: &Path) {
    chown(directory, Some(NOBODY), Some(NOBODY)).unwrap();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            give_away(&path);
        } else {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
}

/// As lax as Apache can be: encoded slashes are slashes, and a whole tree can be listed.
fn configuration(directory: &Path, listen: &str, is_root: bool) -> String {
    let root = directory.display();
    let modules = artefacts::httpd_modules();
    let modules = modules.display();
    let mut configuration = format!(
        "ServerRoot {root}
ServerName {HOST}
Listen {listen}
PidFile httpd.pid
ErrorLog error.log
Mutex file:{root}/locks default
DocumentRoot documents
DavLockDB locks/dav
AllowEncodedSlashes On
DavDepthInfinity On
"
    );
    if is_root {
        let _ = writeln!(configuration, "User #{NOBODY}\nGroup #{NOBODY}");
    }
    for name in ["mpm_event", "unixd", "authz_core", "dav", "dav_fs", "dav_lock", "dir"] {
        // Some builds have a few of them inside.
        let _ = writeln!(
            configuration,
            "<IfModule !{name}_module>\nLoadModule {name}_module {modules}/mod_{name}.so\n</IfModule>"
        );
    }
    let _ = writeln!(configuration, "<Directory {root}/documents>\nDav On\n</Directory>");
    configuration
}
