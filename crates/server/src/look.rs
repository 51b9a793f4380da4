//! A look at the files of a configuration: whether they are those of before, without reading them.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::config::file_names;

/// What the system says of the files of a configuration, and of those that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    path: PathBuf,
    named: Vec<PathBuf>,
    stamps: BTreeMap<PathBuf, Stamp>,
}

/// What changes with a file, or with the file that a symbolic link leads to: Kubernetes replaces a mounted secret by
/// replacing a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stamp {
    File { device: u64, inode: u64, size: u64, modified: (i64, i64), changed: (i64, i64) },
    Unreadable(io::ErrorKind),
}

impl Look {
    /// Looks at the file or folder at `path`, and at the files `named` in it.
    #[must_use]
    pub fn take(path: &Path, named: &[PathBuf]) -> Look {
        let files = file_names(path);
        let mut stamps = BTreeMap::new();
        if let Err(error) = &files {
            stamps.insert(path.to_owned(), Stamp::Unreadable(error.kind()));
        }
        for file in files.unwrap_or_default().into_iter().chain(named.iter().cloned()) {
            let stamp = Stamp::of(&file);
            stamps.insert(file, stamp);
        }
        Look { path: path.to_owned(), named: named.to_vec(), stamps }
    }

    /// Looks at the same files once more.
    #[must_use]
    pub fn again(&self) -> Look {
        Look::take(&self.path, &self.named)
    }

    /// The files that the configuration names.
    #[must_use]
    pub fn named(&self) -> &[PathBuf] {
        &self.named
    }
}

impl Stamp {
    pub(crate) fn of(file: &Path) -> Stamp {
        match std::fs::metadata(file) {
            Ok(metadata) => Stamp::File {
                device: metadata.dev(),
                inode: metadata.ino(),
                size: metadata.size(),
                modified: (metadata.mtime(), metadata.mtime_nsec()),
                // `cp -p` and `rsync -t` set the first, and no program sets this one.
                changed: (metadata.ctime(), metadata.ctime_nsec()),
            },
            Err(error) => Stamp::Unreadable(error.kind()),
        }
    }
}
