//! `breakglass config`: what a configuration of the service says, before the service takes it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::client::Failure;
use crate::exit::Exit;
use crate::terminal::Terminal;
use breakglass_server::config::FileError;
use breakglass_server::difference::{Change, Difference, Effect};
use breakglass_server::reload::{ConfigFile, InvalidConfigFile};
use breakglass_server::store::maintenance;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, clap::Subcommand)]
enum Task {
    /// Say everything that is wrong with a configuration, and what will not work.
    Validate {
        /// The configuration: a file, or a folder of files.
        path: PathBuf,
    },
    /// Say what a new configuration grants, takes away and ends. Both are read here; no service is asked.
    Diff {
        /// The configuration of before: a file, or a folder of files.
        old: PathBuf,
        /// The new one.
        new: PathBuf,
        /// Read from this database of the service how many grants end.
        #[arg(long, value_name = "FILE")]
        database: Option<PathBuf>,
    },
}

pub(crate) fn run(args: &Args, terminal: Terminal) -> Result<Exit, Failure> {
    match &args.task {
        Task::Validate { path } => validate(path, terminal),
        Task::Diff { old, new, database } => diff([old, new], database.as_deref(), terminal),
    }
}

fn validate(path: &Path, terminal: Terminal) -> Result<Exit, Failure> {
    let file = match ConfigFile::read(path, &[]).result {
        Ok(file) => file,
        Err(InvalidConfigFile(errors)) => return invalid(&errors, terminal),
    };
    let warnings = file.warnings();
    let lines: Vec<&str> =
        std::iter::once("valid").chain(warnings.iter().map(String::as_str)).collect();
    let value = json!({ "valid": true, "errors": [], "warnings": warnings });
    terminal.result(&lines.join("\n"), &value)?;
    Ok(Exit::Done)
}

fn invalid(errors: &[FileError], terminal: Terminal) -> Result<Exit, Failure> {
    for error in errors {
        terminal.note(&error.to_string());
    }
    if terminal.json {
        let error = |FileError { file, field, message }: &FileError| {
            let field = (!field.is_empty()).then_some(field);
            json!({ "file": file.display().to_string(), "field": field, "message": message })
        };
        let errors: Vec<Value> = errors.iter().map(error).collect();
        terminal.result("", &json!({ "valid": false, "errors": errors, "warnings": [] }))?;
    }
    Ok(Exit::Invalid)
}

fn diff(
    paths: [&PathBuf; 2],
    database: Option<&Path>,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    let [old, new] = paths.map(|path| ConfigFile::read(path, &[]).result);
    let (old, new) = match (old, new) {
        (Ok(old), Ok(new)) => (old, new),
        (old, new) => {
            let wrong = [old.err(), new.err()].into_iter().flatten();
            let errors: Vec<FileError> = wrong.flat_map(|InvalidConfigFile(all)| all).collect();
            return invalid(&errors, terminal);
        }
    };
    let difference =
        Difference::between((&old.config, &old.definitions), (&new.config, &new.definitions));
    let ends = match database {
        Some(database) => Some(ends(database, &new)?),
        None => None,
    };
    let mut lines: Vec<String> = difference.changes.iter().map(line).collect();
    if lines.is_empty() {
        lines.push("no difference".to_owned());
    }
    for (person, count) in ends.iter().flatten() {
        let grants = if *count == 1 { "live grant ends" } else { "live grants end" };
        lines.push(format!("- {person}: {count} {grants}"));
    }
    let changes: Vec<Value> = difference.changes.iter().map(Change::json).collect();
    let mut value = json!({ "changes": changes, "need_restart": difference.names.need_restart });
    if let (Some(ends), Some(members)) = (ends, value.as_object_mut()) {
        let one = |(person, count)| json!({ "person": person, "grants": count });
        members.insert("ends".to_owned(), ends.into_iter().map(one).collect());
    }
    terminal.result(&lines.join("\n"), &value)?;
    Ok(Exit::Done)
}

fn line(change: &Change) -> String {
    let sign = match change.effect() {
        Effect::Grants => '+',
        Effect::TakesAway => '-',
        Effect::Neutral => ' ',
    };
    format!("{sign} {change}")
}

/// Whose grants end with this configuration, and how many: those of people who are not in it.
fn ends(database: &Path, new: &ConfigFile) -> Result<Vec<(String, i64)>, Failure> {
    if new.config.keep_grants_of_leavers {
        return Ok(Vec::new());
    }
    let failed = |error: &dyn std::fmt::Display| Failure::Failed(error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| failed(&error))?;
    let held =
        runtime.block_on(maintenance::live_grants(database)).map_err(|error| failed(&error))?;
    Ok(held.into_iter().filter(|(person, _)| new.config.person(person).is_none()).collect())
}
