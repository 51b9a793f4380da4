//! SIGHUP: the configuration file is read again and replaces the configuration, all of it or nothing.
//!
//! 1. A file that cannot be read or is not valid changes nothing: the log names every error.
//! 2. What holds a socket, a file or a key cannot change while the service runs: that is an error too.
//! 3. What has changed is on the trail before it holds: what cannot be written down does not happen.

mod changes;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use breakglass_api::health::{ConfigurationHealth, ReloadFailure};
use breakglass_api::trail::ServiceAction;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::signal::unix::Signal;
use tokio::sync::oneshot;

use crate::app::App;
use crate::clock::Moment;
use crate::config::{Config, InvalidConfig};
use crate::holder_left;
use crate::store::{SERVICE, StoreError};
use changes::Changes;

/// How long reading the file may take: a file system that is gone neither answers nor fails.
const LIMIT: Duration = Duration::from_secs(10);

/// A configuration, and the file that it was in.
#[derive(Debug)]
pub struct ConfigFile {
    /// What it says.
    pub config: Config,
    /// The SHA-256 of the file, in hexadecimal digits.
    pub digest: String,
}

impl ConfigFile {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`InvalidConfig`] says everything that is wrong with it.
    pub fn read(path: &Path) -> Result<ConfigFile, InvalidConfig> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| InvalidConfig::Unreadable(path.to_owned(), error))?;
        let config = Config::parse(&text)?;
        let digest = Sha256::digest(text.as_bytes());
        Ok(ConfigFile { config, digest: digest.iter().map(|byte| format!("{byte:02x}")).collect() })
    }
}

/// Why the configuration stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The file is wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidConfig),
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

    fn applied(&self, now: Moment, digest: String) {
        let mut status = self.status();
        status.loaded_at = now;
        status.digest = Some(digest);
        status.reloads = status.reloads.saturating_add(1);
    }

    fn failed(&self, now: Moment, error: &ReloadError) {
        self.status().last_failure = Some((now, error.to_string()));
    }

    /// What an auditor is told.
    #[must_use]
    pub fn view(&self) -> ConfigurationHealth {
        let status = self.status();
        let failure = |(when, error): &(Moment, String)| ReloadFailure {
            at: (*when).into(),
            error: error.clone(),
        };
        ConfigurationHealth {
            loaded_at: status.loaded_at.into(),
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

/// Reads the configuration again at each SIGHUP, for as long as the service runs. Those that come during one are
/// one.
pub async fn keep_reloading(app: App, path: PathBuf, mut hangup: Signal) {
    while hangup.recv().await.is_some() {
        // What came of it is in the log.
        let _ = reload(&app, &path).await;
    }
}

/// Reads the file at `path` and takes what it says.
///
/// # Errors
/// [`ReloadError`] says why the configuration stays as it is.
pub async fn reload(app: &App, path: &Path) -> Result<(), ReloadError> {
    let result = apply(app, path).await;
    app.metrics().service().reloaded(result.is_ok());
    if let Err(error) = &result {
        app.reloads().failed(app.now(), error);
        for error in error.to_string().lines() {
            tracing::error!(error, "the configuration stays as it is");
        }
    }
    result
}

async fn apply(app: &App, path: &Path) -> Result<(), ReloadError> {
    let ConfigFile { config, digest } = read(path.to_owned()).await?;
    let old = app.config();
    let changes = Changes::between(&old, &config);
    if !changes.need_restart.is_empty() {
        return Err(ReloadError::NeedsRestart(changes.need_restart));
    }
    let (now, warnings) = (app.now(), config.warnings());
    let detail = json!({ "digest": digest, "changes": changes, "warnings": warnings.len() });
    app.store().note_act(now, SERVICE, ServiceAction::Reload, &detail).await?;
    app.reconfigure(config);
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    tracing::info!(digest, changes = %json!(changes), "configuration read again");
    app.reloads().applied(now, digest);
    applied(app);
    Ok(())
}

/// A configuration holds from now on: at the start, and after each reload. What follows from it for
/// what is in the database begins here, and is not waited for: the grants of people who are not in the
/// configuration end.
pub fn applied(app: &App) {
    tokio::spawn(holder_left::until_done(app.clone()));
}

/// Reads the file on a thread of its own: one that hangs keeps neither the service nor its end.
async fn read(path: PathBuf) -> Result<ConfigFile, ReloadError> {
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
