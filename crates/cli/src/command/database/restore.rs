//! `breakglass database restore`: puts a backup in the place of the databases.

use std::fs;
use std::path::PathBuf;

use serde_json::json;
use tokio::runtime::Runtime;

use crate::client::Failure;
use crate::terminal::Terminal;
use breakglass_server::config::Config;
use breakglass_server::store::TrailHead;
use breakglass_server::store::restore::{Options, Restored, State, restore};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The directory that `breakglass database backup` made.
    #[arg(long, value_name = "DIR")]
    from: PathBuf,

    /// The last head of the trail that was kept elsewhere: what the replaced database does not have is lost.
    #[arg(long, value_name = "FILE")]
    trail_head: Option<PathBuf>,

    /// Keep the grants of the backup although it is not known whether they were revoked since.
    #[arg(long)]
    keep_grants: bool,

    /// Restore also a backup in which `breakglass database check` would find something.
    #[arg(long)]
    with_findings: bool,
}

pub(super) fn run(
    args: &Args,
    config: &Config,
    runtime: &Runtime,
    terminal: Terminal,
) -> Result<(), Failure> {
    let options = Options {
        from: args.from.clone(),
        trail_head: args.trail_head.as_deref().map(read_head).transpose()?,
        keep_grants: args.keep_grants,
        with_findings: args.with_findings,
    };
    let restored = runtime
        .block_on(restore(config, &options))
        .map_err(|error| Failure::Failed(error.to_string()))?;
    for word in warnings(&restored) {
        terminal.note(&word);
    }
    let value = serde_json::to_value(&restored).unwrap_or_else(|_| json!({}));
    terminal.result(&text(&restored), &value)
}

/// The last head in a file: one, or a line for each.
fn read_head(path: &std::path::Path) -> Result<TrailHead, Failure> {
    let at = |error: &dyn std::fmt::Display| {
        let expected = "expected a head, such as {\"seq\":7,\"hash\":\"..\"}, in its last line";
        Failure::Invalid(format!("{}: {expected}: {error}", path.display()))
    };
    let text = fs::read_to_string(path).map_err(|error| at(&error))?;
    let line = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    serde_json::from_str(line).map_err(|error| at(&error))
}

fn text(restored: &Restored) -> String {
    let mut lines =
        vec![format!("restored: the trail goes on from place {}", restored.goes_on_from.seq)];
    if let Some(lost) = &restored.lost {
        lines.push(format!("lost: the events after it, up to place {}", lost.seq));
    }
    for (count, words) in [
        (restored.ended_since, "grants had ended after the backup, and are revoked"),
        (restored.made_since, "grants were approved after the backup, and are revoked"),
        (
            restored.unknown,
            "grants were live in the backup, and are revoked: whether they had ended is not known",
        ),
        (restored.kept, "grants of the backup hold"),
        (restored.cancelled, "pending requests are cancelled"),
    ] {
        if count > 0 {
            lines.push(format!("{count} {words}"));
        }
    }
    lines.push(format!("feed {}: every proxy reads all of it again", restored.feed));
    lines.extend(restored.set_aside.iter().map(|path| format!("kept {}", path.display())));
    lines.join("\n")
}

/// What an operator has to do beside it.
fn warnings(restored: &Restored) -> Vec<String> {
    let mut words = Vec::new();
    let state = match restored.replaced {
        State::Whole => None,
        State::Changed => Some("was changed, or misses the end of its trail"),
        State::Unreadable => Some("cannot be read"),
        State::Absent => Some("was not there"),
    };
    if let Some(state) = state {
        words.push(format!(
            "the database that was replaced {state}: revocations after the backup, and grants that were approved after \
             it, are known only as far as they could be read; a filter without introspection takes the tokens of \
             other ones until they end: `breakglass keys rotate --force`, then `breakglass keys retire` the key \
             before, ends them"
        ));
    }
    if restored.replaced != State::Whole && restored.kept > 0 {
        words.push(format!(
            "{} grants were kept, although they may have been revoked",
            restored.kept
        ));
    }
    if !restored.not_carried.is_empty() {
        words.push(format!(
            "these grants of the replaced database could not be taken over, and no feed lists them: {}",
            restored.not_carried.join(", ")
        ));
    }
    words
}
