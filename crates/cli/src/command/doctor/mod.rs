//! `breakglass doctor`: what is wrong here, each with the command or the line that fixes it.

mod proxies;
mod scopes;
mod service;

use std::path::PathBuf;

use breakglass_server::clock::{Clock as _, SystemClock};
use breakglass_server::doctor::{self, Finding, NotChecked, Report};
use serde_json::{Value, json};

use crate::client::{Failure, Settings};
use crate::exit::Exit;
use crate::terminal::Terminal;

/// What `--help` says of the exit codes.
pub(crate) const HELP: &str = "\
Exit codes:
  0  nothing is wrong, and everything was looked at
  1  something could not be looked at, and nothing else is wrong
  2  something is wrong
  3  invalid input: command line";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The service's configuration, in TOML: a file, or a folder of files.
    #[arg(long, value_name = "PATH", default_value = "/etc/breakglass/config.toml")]
    config: PathBuf,
}

pub(crate) fn run(args: &Args, settings: &Settings, terminal: Terminal) -> Result<Exit, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::Failed(error.to_string());
    let now = SystemClock.now().map_err(|error| failed(&error))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| failed(&error))?;
    let mut report = Report::default();
    let file = runtime.block_on(doctor::examine(&args.config, now, &mut report));
    if settings.url.is_some() {
        service::look(settings, file.as_ref(), &mut report);
    } else {
        report.note(
            "the service was not asked: `--url`, with an auditor's API token, adds proxies, scopes and its clock",
        );
    }
    tell(&report, terminal)?;
    Ok(match report {
        Report { findings, .. } if !findings.is_empty() => Exit::Findings,
        Report { not_checked, .. } if !not_checked.is_empty() => Exit::Fail,
        _ => Exit::Done,
    })
}

fn tell(report: &Report, terminal: Terminal) -> Result<(), Failure> {
    let Report { checked, findings, not_checked, notes } = report;
    let mut lines = Vec::new();
    for Finding { what, fix } in findings {
        lines.extend([format!("- {what}"), format!("  fix: {fix}")]);
    }
    for NotChecked { what, why } in not_checked {
        lines.push(format!("? {what}: could not be looked at: {why}"));
    }
    lines.extend(notes.iter().map(|note| format!("  note: {note}")));
    let count = |count: usize, one: &str, more: &str| {
        format!("{count} {}", if count == 1 { one } else { more })
    };
    lines.push(format!(
        "checked: {}; {}; {} could not be looked at",
        count(*checked, "thing", "things"),
        count(findings.len(), "finding", "findings"),
        not_checked.len()
    ));
    let finding = |Finding { what, fix }: &Finding| json!({ "what": what, "fix": fix });
    let gap = |NotChecked { what, why }: &NotChecked| json!({ "what": what, "why": why });
    let value = json!({
        "checked": checked,
        "findings": findings.iter().map(finding).collect::<Vec<Value>>(),
        "not_checked": not_checked.iter().map(gap).collect::<Vec<Value>>(),
        "notes": notes,
    });
    terminal.result(&lines.join("\n"), &value)
}
