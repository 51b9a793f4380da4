//! `breakglass audit`: reads the records in Envoy's access logs.

mod alerts;
mod attempts;
mod export;
mod heads;
mod input;
mod report;
mod service;
mod tail;
mod verify;

use crate::client::{Failure, Settings};
use crate::exit::Exit;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Check that nothing in a log was changed, and that nothing is missing from it.
    #[command(after_help = verify::HELP)]
    Verify(verify::Args),
    /// Make the evidence file about a grant, an incident or a person: JSON, and a page to read and
    /// print.
    #[command(after_help = verify::HELP)]
    Report(report::Args),
    /// Show the records of a log, and then those that come, through rotation.
    #[command(after_help = crate::exit::HELP)]
    Tail(tail::Args),
    /// Print the records in the form of another system, one a line.
    #[command(after_help = export::HELP)]
    Export(export::Args),
    /// Print what proxies reported of their chains, for `--heads` later.
    #[command(after_help = crate::exit::HELP)]
    Heads(heads::Args),
    /// Show what known callers were refused, and what auditors read.
    #[command(after_help = crate::exit::HELP)]
    Attempts(attempts::Args),
    /// Show the alerts that proxies reported.
    #[command(after_help = crate::exit::HELP)]
    Alerts(alerts::Args),
}

pub(crate) fn run(args: Args, settings: &Settings, terminal: Terminal) -> Result<Exit, Failure> {
    match args.verb {
        Verb::Verify(args) => verify::run(&args, settings, terminal),
        Verb::Report(args) => report::run(&args, settings, terminal),
        Verb::Tail(args) => tail::run(&args, terminal),
        Verb::Export(args) => export::run(&args, terminal),
        Verb::Heads(args) => heads::run(&args, settings),
        Verb::Attempts(args) => attempts::run(&args, settings, terminal),
        Verb::Alerts(args) => alerts::run(&args, settings, terminal),
    }
}
