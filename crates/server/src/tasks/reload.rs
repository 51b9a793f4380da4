//! Reads the configuration again: see [`crate::reload`].

use std::path::{Path, PathBuf};

use breakglass_api::trail::ServiceAction;
use serde_json::json;
use tokio::signal::unix::Signal;

use super::changes::Changes;
use super::holder_left;
use crate::app::{App, Configured};
use crate::reload::{ConfigFile, ReloadError, read};
use crate::store::SERVICE;

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
    let file = read(path.to_owned()).await?;
    let changes =
        Changes::between((&app.config(), &app.definitions()), (&file.config, &file.definitions));
    if !changes.need_restart.is_empty() {
        return Err(ReloadError::NeedsRestart(changes.need_restart));
    }
    let (now, warnings) = (app.now(), file.warnings());
    let ConfigFile { config, definitions, digest } = file;
    let detail = json!({ "digest": digest, "changes": changes, "warnings": warnings.len() });
    app.store().note_act(now, SERVICE, ServiceAction::Reload, &detail).await?;
    app.reconfigure(Configured { config, definitions });
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
