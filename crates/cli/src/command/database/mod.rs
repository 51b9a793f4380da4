//! `breakglass database`: what an operator does with the files of the service, where no SQLite shell is at hand.

mod check;
mod restore;

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::client::Failure;
use crate::exit::Exit;
use crate::terminal::Terminal;
use breakglass_server::issuer::TrailKeys;
use breakglass_server::reload::ConfigFile;
use breakglass_server::store::maintenance;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    task: Task,

    /// The service's configuration, in TOML: a file, or a folder of files.
    #[arg(long, value_name = "PATH", global = true, default_value = "/etc/breakglass/config.toml")]
    config: PathBuf,
}

#[derive(Debug, clap::Subcommand)]
enum Task {
    /// Check the databases, the trail and the keys, also while the service runs. Exit codes: 0 nothing found, 1 it could
    /// not look, 2 findings.
    Check,
    /// Copy both databases into a new directory, also while the service runs. Signing keys are not copied.
    Backup {
        /// The directory, which must not be there yet.
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
    /// Put a backup in the place of the databases, which stay beside it under other names. Stop the service first.
    Restore(restore::Args),
    /// Give the feed of revocations another id: every proxy reads all of it again. Stop the service first.
    NewFeed,
    /// Print the public keys of the service's trail, the newest first, for `breakglass audit verify --service`.
    TrailKey,
    /// Remove the heads that versions before the evidence database left in the main one. Stop the service first.
    DropOldHeads,
}

pub(crate) fn run(args: &Args, terminal: Terminal) -> Result<Exit, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::Failed(error.to_string());
    // A backup does not need the files of definitions: wrong ones do not stop it.
    let config = ConfigFile::read_alone(&args.config)
        .map_err(|error| Failure::Invalid(format!("the configuration is not valid:\n{error}")))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| failed(&error))?;
    match &args.task {
        Task::Check => {
            let report = runtime
                .block_on(breakglass_server::store::check::check(&config))
                .map_err(|error| failed(&error))?;
            return check::say(&report, terminal);
        }
        Task::Backup { to } => {
            let files = runtime
                .block_on(maintenance::backup(&config, to))
                .map_err(|error| failed(&error))?;
            let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
            terminal.note("the signing keys are not in it");
            terminal.result(&names.join("\n"), &json!({ "files": names }))?;
        }
        Task::Restore(args) => restore::run(args, &config, &runtime, terminal)?,
        Task::NewFeed => {
            let id =
                runtime.block_on(maintenance::new_feed(&config)).map_err(|error| failed(&error))?;
            terminal.note("every proxy reads the whole feed once more");
            terminal.result(&id, &json!({ "feed": id }))?;
        }
        Task::TrailKey => {
            let keys = TrailKeys::existing(&config.key_directory, &config.database)
                .map_err(|error| failed(&error))?
                .ok_or_else(|| {
                    Failure::Failed(format!(
                        "{}: there is no key of the trail: the service makes it at its start",
                        config.key_directory.display()
                    ))
                })?
                .public();
            let lines: Vec<String> =
                keys.iter().map(|(kid, key)| format!("{kid}  {key}")).collect();
            let keys: Vec<Value> =
                keys.iter().map(|(kid, key)| json!({ "kid": kid, "public": key })).collect();
            terminal.result(&lines.join("\n"), &json!({ "keys": keys }))?;
        }
        Task::DropOldHeads => {
            let count = runtime
                .block_on(maintenance::drop_old_heads(&config))
                .map_err(|error| failed(&error))?;
            terminal.result(&format!("removed {count} heads"), &json!({ "removed": count }))?;
        }
    }
    Ok(Exit::Done)
}
