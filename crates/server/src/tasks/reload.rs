//! Reads the configuration again: see [`crate::reload`].

use std::path::{Path, PathBuf};
use std::time::Duration;

use breakglass_api::trail::ServiceAction;
use serde_json::json;
use tokio::signal::unix::Signal;

use super::holder_left;
use crate::app::{App, Configured};
use crate::config::Config;
use crate::difference::{Change, Difference, Effect};
use crate::issuer::{FirstKey, KeyError, Rings};
use crate::key_schedule::publish_s;
use crate::look::Look;
use crate::reload::{ConfigFile, ReloadError, look_again, read};
use crate::store::SERVICE;

/// How often the files are looked at. A change counts when two looks in a row find the same: files are often replaced one
/// by one.
const LOOK: Duration = Duration::from_secs(1);

/// How many changes of rights the log has of one reload.
const LOGGED: usize = 20;

/// Why the configuration is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The operator asked for it.
    Sighup,
    /// Its files have changed.
    FileChange,
}

impl Cause {
    /// As the log and the trail have it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Cause::Sighup => "sighup",
            Cause::FileChange => "file_change",
        }
    }
}

/// Reads the configuration again at each SIGHUP and when its files change, for as long as the service runs. Signals that
/// come during a reload are one. What has failed is tried again when something has changed since, or at SIGHUP. `tried` are
/// the files as they were when they were read last.
pub async fn keep_reloading(app: App, path: PathBuf, mut tried: Look, mut hangup: Signal) {
    loop {
        let cause = tokio::select! {
            signal = hangup.recv() => match signal {
                Some(()) => Cause::Sighup,
                None => return,
            },
            () = changed(&tried) => Cause::FileChange,
        };
        // What came of it is in the log.
        let (look, _) = try_reload(&app, &path, tried.named().to_vec(), cause).await;
        tried = look.unwrap_or(tried);
    }
}

/// Ready when the files are other ones than those that were tried, and stay so.
async fn changed(tried: &Look) {
    let mut before: Option<Look> = None;
    loop {
        tokio::time::sleep(LOOK).await;
        let now = look_again(tried).await;
        if now.is_some() && now == before && now.as_ref() != Some(tried) {
            return;
        }
        before = now;
    }
}

/// Reads the file or folder at `path` and takes what it says.
///
/// # Errors
/// [`ReloadError`] says why the configuration stays as it is.
pub async fn reload(app: &App, path: &Path, cause: Cause) -> Result<(), ReloadError> {
    try_reload(app, path, Vec::new(), cause).await.1
}

async fn try_reload(
    app: &App,
    path: &Path,
    named: Vec<PathBuf>,
    cause: Cause,
) -> (Option<Look>, Result<(), ReloadError>) {
    let (look, file) = read(path, named).await;
    let result = match file {
        Ok(file) => apply(app, file, cause).await,
        Err(error) => Err(error),
    };
    app.metrics().service().reloaded(result.is_ok());
    if let Err(error) = &result {
        app.reloads().failed(app.now(), error);
        for error in error.to_string().lines() {
            tracing::error!(error, cause = cause.word(), "the configuration stays as it is");
        }
    }
    (look, result)
}

async fn apply(app: &App, file: ConfigFile, cause: Cause) -> Result<(), ReloadError> {
    let difference =
        Difference::between((&app.config(), &app.definitions()), (&file.config, &file.definitions));
    if !difference.names.need_restart.is_empty() {
        return Err(ReloadError::NeedsRestart(difference.names.need_restart));
    }
    let (now, warnings, cause) = (app.now(), file.warnings(), cause.word());
    let ConfigFile { config, definitions, digest, .. } = file;
    let rings = rings(app, &config).map_err(ReloadError::Keys)?;
    let detail = json!({
        "digest": digest, "cause": cause, "changes": difference.names,
        "difference": difference.on_trail(), "warnings": warnings.len(),
    });
    let mut acts = vec![(ServiceAction::Reload, &detail)];
    let widened = difference.widened(&digest);
    acts.extend(widened.as_ref().map(|widened| (ServiceAction::ConfigurationWidened, widened)));
    app.store().note_acts(now, SERVICE, &acts).await?;
    let configured = Configured { config, definitions, digest: Some(digest.clone()) };
    app.reconfigure(configured);
    app.issuer().take(rings);
    app.metrics().service().forget_keys();
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    tracing::info!(digest, cause, changes = %json!(difference.names), "configuration read again");
    say(&difference);
    app.reloads().applied(now, digest);
    applied(app);
    Ok(())
}

/// The signing keys as this configuration has them. An audience that has keys of its own from now on gets its first one,
/// which signs when its proxies have it.
fn rings(app: &App, config: &Config) -> Result<Rings, KeyError> {
    let now = app.now();
    let publish_s = publish_s(app, now);
    let first = FirstKey { now, publish_s, randomness: app.randomness() };
    app.issuer().rings().resettled(config.key_rings(), first)
}

/// What rights grew and shrank, in the log: the first of them, for the trail has more.
fn say(difference: &Difference) {
    let of_rights = |change: &&Change| change.effect() != Effect::Neutral;
    for change in difference.changes.iter().filter(of_rights).take(LOGGED) {
        tracing::info!(effect = %json!(change.effect()), "{change}");
    }
}

/// A configuration holds from now on: at the start, and after each reload. What follows from it for
/// what is in the database begins here, and is not waited for: the grants of people who are not in the
/// configuration end.
pub fn applied(app: &App) {
    tokio::spawn(holder_left::until_done(app.clone()));
}
