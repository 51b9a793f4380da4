//! The configuration is read again, at SIGHUP and when its files change, and replaces the one before: all of it or nothing.
//!
//! 1. Files that cannot be read or are not valid change nothing: the log names every error.
//! 2. What holds a socket, a file or a key cannot change while the service runs: that is an error too.
//! 3. What has changed is on the trail before it holds: what cannot be written down does not happen.
//! 4. Files that change while they are read are read once more: no configuration is half of one and half of the next.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use breakglass_api::health::{ConfigurationError, ConfigurationHealth, ReloadFailure};
use breakglass_config_schema::ConfigError;
use tokio::sync::oneshot;

use crate::clock::{Moment, written};
use crate::config::{Config, FileError, Files, Locations};
use crate::definitions::Definitions;
use crate::issuer::KeyError;
use crate::look::Look;
use crate::sinks::check_templates;
use crate::store::StoreError;

/// How long reading the files may take: a file system that is gone neither answers nor fails.
const LIMIT: Duration = Duration::from_secs(10);

/// How often files are read that change meanwhile.
const ROUNDS: usize = 5;

/// A configuration, what it names, and the files that it was in.
#[derive(Debug)]
pub struct ConfigFile {
    /// What it says.
    pub config: Config,
    /// What the files say that it names as `definitions`.
    pub definitions: Definitions,
    /// The digest of the file, or of the files of the folder: [`Files::digest`].
    pub digest: String,
    locations: Locations,
}

/// What came of reading the files of a configuration.
#[derive(Debug)]
pub struct Attempt {
    /// The files as they were when reading began.
    pub look: Look,
    /// What was in them.
    pub result: Result<ConfigFile, InvalidConfigFile>,
}

impl ConfigFile {
    /// Reads the file or the folder at `path`, and the files that the configuration names. `named` are those that the one
    /// before named, for the look at files of a configuration that is wrong.
    #[must_use]
    pub fn read(path: &Path, named: &[PathBuf]) -> Attempt {
        ConfigFile::read_noting(path, named, |_| ())
    }

    /// The same, and says before it reads which files it looks at.
    fn read_noting(path: &Path, named: &[PathBuf], note: impl Fn(&Look)) -> Attempt {
        let mut look = Look::take(path, named);
        for _ in 0..ROUNDS {
            note(&look);
            let mut named = look.named().to_vec();
            let result = ConfigFile::read_once(path, &mut named);
            let now = Look::take(path, &named);
            // Also where it names other files than the one before: those were not looked at before they were read.
            if now == look {
                return Attempt { look, result };
            }
            look = now;
        }
        let cause = "changes while it is read: expected files that stay for a moment";
        Attempt { look, result: Err(InvalidConfigFile(vec![FileError::whole(path, cause)])) }
    }

    fn read_once(path: &Path, named: &mut Vec<PathBuf>) -> Result<ConfigFile, InvalidConfigFile> {
        let files = Files::read(path)?;
        let (config, locations) = files.config()?;
        let folder = files.folder();
        *named = config.definitions.iter().map(|file| folder.join(file)).collect();
        named.extend(config.sinks.iter().filter_map(|sink| sink.template_file.clone()));
        let definitions = Definitions::read(folder, &config.definitions)?;
        let wrong = check_templates(&config.sinks).into_iter().map(|(index, message)| {
            let path = format!("sinks[{index}].template_file");
            locations.error(ConfigError { path, message })
        });
        let wrong: Vec<FileError> = wrong.collect();
        if !wrong.is_empty() {
            return Err(wrong.into());
        }
        Ok(ConfigFile { config, definitions, digest: files.digest(), locations })
    }

    /// Reads the file or folder at `path`, and none of the files that the configuration names.
    ///
    /// # Errors
    /// [`InvalidConfigFile`] says everything that is wrong with it.
    pub fn read_alone(path: &Path) -> Result<Config, InvalidConfigFile> {
        let (config, _) = Files::read(path)?.config()?;
        Ok(config)
    }

    /// What is valid and yet will not work, in words for the operator.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let warnings = self.config.warnings();
        let mut warnings: Vec<String> =
            warnings.iter().map(|warning| self.locations.of(warning)).collect();
        warnings.extend(self.definitions.warnings(&self.config));
        warnings
    }
}

/// Why there is no configuration: everything that is wrong with its files, and with those that it names.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct InvalidConfigFile(pub Vec<FileError>);

impl From<Vec<FileError>> for InvalidConfigFile {
    fn from(errors: Vec<FileError>) -> InvalidConfigFile {
        InvalidConfigFile(errors)
    }
}

/// Why the configuration stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The files are wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidConfigFile),
    /// They were not read in time.
    #[error("{path}: not read within {limit} s", path = .0.display(), limit = LIMIT.as_secs())]
    Late(PathBuf),
    /// Something has changed that takes a restart.
    #[error("{}", .0.iter().map(|field| format!("{field}: {NEEDS_RESTART}")).collect::<Vec<_>>().join("\n"))]
    NeedsRestart(Vec<&'static str>),
    /// The signing keys that it names cannot be used.
    #[error("signing_keys.audiences: {0}")]
    Keys(KeyError),
    /// It could not be written down.
    #[error("not on the trail: {0}")]
    Store(#[from] StoreError),
}

const NEEDS_RESTART: &str = "has changed, which needs a restart";

impl ReloadError {
    /// Each thing that is wrong, with its file and field where it has one.
    fn errors(&self) -> Vec<ConfigurationError> {
        let error = |file: Option<&Path>, field: &str, message: &str| ConfigurationError {
            file: file.map(|file| file.display().to_string()),
            field: (!field.is_empty()).then(|| field.to_owned()),
            message: message.to_owned(),
        };
        match self {
            ReloadError::Invalid(InvalidConfigFile(errors)) => {
                errors.iter().map(|one| error(Some(&one.file), &one.field, &one.message)).collect()
            }
            ReloadError::NeedsRestart(fields) => {
                fields.iter().map(|field| error(None, field, NEEDS_RESTART)).collect()
            }
            ReloadError::Keys(cause) => {
                vec![error(None, "signing_keys.audiences", &cause.to_string())]
            }
            ReloadError::Late(_) | ReloadError::Store(_) => {
                vec![error(None, "", &self.to_string())]
            }
        }
    }
}

/// How the configuration came to be what it is.
#[derive(Debug)]
pub struct Reloads(Mutex<Status>);

#[derive(Debug)]
struct Status {
    loaded_at: Moment,
    digest: Option<String>,
    reloads: u64,
    last_failure: Option<ReloadFailure>,
}

impl Reloads {
    /// It was loaded at the start, at `now`.
    #[must_use]
    pub fn new(now: Moment) -> Reloads {
        let status = Status { loaded_at: now, digest: None, reloads: 0, last_failure: None };
        Reloads(Mutex::new(status))
    }

    /// The files that it was in have this digest.
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
        let failure =
            ReloadFailure { at: written(now), error: error.to_string(), errors: error.errors() };
        self.status().last_failure = Some(failure);
    }

    /// What an auditor is told.
    #[must_use]
    pub fn view(&self) -> ConfigurationHealth {
        let status = self.status();
        ConfigurationHealth {
            loaded_at: written(status.loaded_at),
            digest: status.digest.clone(),
            reloads: status.reloads,
            last_failure: status.last_failure.clone(),
        }
    }

    fn status(&self) -> MutexGuard<'_, Status> {
        // Each change is a few assignments.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the files on a thread of its own: one that hangs keeps neither the service nor its end. Beside what was read are
/// the files as they were when reading began; of a path that even this cannot be said of, nothing.
pub(crate) async fn read(
    path: &Path,
    named: Vec<PathBuf>,
) -> (Option<Look>, Result<ConfigFile, ReloadError>) {
    let (done, result) = oneshot::channel();
    let noted = Arc::new(Mutex::new(None));
    let (read, note) = (path.to_owned(), Arc::clone(&noted));
    std::thread::spawn(move || {
        let attempt = ConfigFile::read_noting(&read, &named, |look| {
            *note.lock().unwrap_or_else(PoisonError::into_inner) = Some(look.clone());
        });
        // After the limit there is no receiver any more.
        let _ = done.send(attempt);
    });
    match tokio::time::timeout(LIMIT, result).await {
        Ok(Ok(Attempt { look, result })) => (Some(look), result.map_err(ReloadError::from)),
        _ => {
            let look = noted.lock().unwrap_or_else(PoisonError::into_inner).take();
            (look, Err(ReloadError::Late(path.to_owned())))
        }
    }
}

/// Looks at the same files once more, on a thread of its own; `None` if that fails.
pub(crate) async fn look_again(look: &Look) -> Option<Look> {
    let (done, result) = oneshot::channel();
    let look = look.clone();
    std::thread::spawn(move || {
        // A caller that has stopped waiting needs no answer.
        let _ = done.send(look.again());
    });
    result.await.ok()
}
