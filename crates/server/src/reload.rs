//! SIGHUP: the configuration file is read again and replaces the configuration, all of it or nothing.
//!
//! 1. A file that cannot be read or is not valid changes nothing: the log names every error.
//! 2. What holds a socket, a file or a key cannot change while the service runs: that is an error too.
//! 3. What has changed is on the trail before it holds: what cannot be written down does not happen.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use breakglass_api::health::{ConfigurationHealth, ReloadFailure};
use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;

use crate::clock::{Moment, written};
use crate::config::{Config, InvalidConfig};
use crate::definitions::{DefinitionError, Definitions};
use crate::store::StoreError;

/// How long reading the file may take: a file system that is gone neither answers nor fails.
const LIMIT: Duration = Duration::from_secs(10);

/// A configuration, what it names, and the file that it was in.
#[derive(Debug)]
pub struct ConfigFile {
    /// What it says.
    pub config: Config,
    /// What the files say that it names as `definitions`.
    pub definitions: Definitions,
    /// The SHA-256 of the file, in hexadecimal digits.
    pub digest: String,
}

impl ConfigFile {
    /// Reads the file at `path`, and the files that it names.
    ///
    /// # Errors
    /// [`InvalidConfigFile`] says everything that is wrong with them.
    pub fn read(path: &Path) -> Result<ConfigFile, InvalidConfigFile> {
        let (config, digest) = ConfigFile::read_alone(path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let definitions = Definitions::read(folder, &config.definitions)
            .map_err(InvalidConfigFile::Definitions)?;
        Ok(ConfigFile { config, definitions, digest })
    }

    /// Reads the file at `path`, and none of those that it names: the configuration, and the digest of the file.
    ///
    /// # Errors
    /// [`InvalidConfig`] says everything that is wrong with it.
    pub fn read_alone(path: &Path) -> Result<(Config, String), InvalidConfig> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| InvalidConfig::Unreadable(path.to_owned(), error))?;
        let config = Config::parse(&text)?;
        Ok((config, breakglass_types::hex::lower(&Sha256::digest(text.as_bytes()))))
    }

    /// What is valid and yet will not work, in words for the operator.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.config.warnings();
        warnings.extend(self.definitions.warnings(&self.config));
        warnings
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum InvalidConfigFile {
    /// The file itself is wrong.
    #[error(transparent)]
    Config(#[from] InvalidConfig),
    /// Files that it names are wrong: all that is.
    #[error("{}", .0.iter().map(|error| format!("definitions: {error}")).collect::<Vec<_>>().join("\n"))]
    Definitions(Vec<DefinitionError>),
}

/// Why the configuration stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The file is wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidConfigFile),
    /// It was not read in time.
    #[error("{path}: not read within {limit} s", path = .0.display(), limit = LIMIT.as_secs())]
    Late(PathBuf),
    /// Something has changed that takes a restart.
    #[error("{}", .0.iter().map(|field| format!("{field}: has changed, which needs a restart")).collect::<Vec<_>>().join("\n"))]
    NeedsRestart(Vec<&'static str>),
    /// It could not be written down.
    #[error("not on the trail: {0}")]
    Store(#[from] StoreError),
}

/// How the configuration came to be what it is.
#[derive(Debug)]
pub struct Reloads(Mutex<Status>);

#[derive(Debug)]
struct Status {
    loaded_at: Moment,
    digest: Option<String>,
    reloads: u64,
    last_failure: Option<(Moment, String)>,
}

impl Reloads {
    /// It was loaded at the start, at `now`.
    #[must_use]
    pub fn new(now: Moment) -> Reloads {
        let status = Status { loaded_at: now, digest: None, reloads: 0, last_failure: None };
        Reloads(Mutex::new(status))
    }

    /// The file that it was in has this digest.
    pub fn started_with(&self, digest: String) {
        self.status().digest = Some(digest);
    }

    pub(crate) fn applied(&self, now: Moment, digest: String) {
        let mut status = self.status();
        status.loaded_at = now;
        status.digest = Some(digest);
        status.reloads = status.reloads.saturating_add(1);
    }

    pub(crate) fn failed(&self, now: Moment, error: &ReloadError) {
        self.status().last_failure = Some((now, error.to_string()));
    }

    /// What an auditor is told.
    #[must_use]
    pub fn view(&self) -> ConfigurationHealth {
        let status = self.status();
        let failure = |(when, error): &(Moment, String)| ReloadFailure {
            at: written(*when),
            error: error.clone(),
        };
        ConfigurationHealth {
            loaded_at: written(status.loaded_at),
            digest: status.digest.clone(),
            reloads: status.reloads,
            last_failure: status.last_failure.as_ref().map(failure),
        }
    }

    fn status(&self) -> MutexGuard<'_, Status> {
        // Each change is a few assignments.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the file on a thread of its own: one that hangs keeps neither the service nor its end.
pub(crate) async fn read(path: PathBuf) -> Result<ConfigFile, ReloadError> {
    let (done, result) = oneshot::channel();
    let late = ReloadError::Late(path.clone());
    std::thread::spawn(move || {
        // Nobody waits any more, if it took too long.
        let _ = done.send(ConfigFile::read(&path));
    });
    match tokio::time::timeout(LIMIT, result).await {
        Ok(Ok(file)) => Ok(file?),
        _ => Err(late),
    }
}
