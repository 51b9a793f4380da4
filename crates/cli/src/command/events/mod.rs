//! `breakglass events`: what the sinks were told of events.

mod list;
mod preview;
mod replay;

use crate::client::{Client, Failure, Settings};
use crate::exit::Exit;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List the deliveries of events to sinks, the newest first, and how the sinks are: for auditors and administrators.
    #[command(after_help = crate::exit::HELP)]
    List(list::Args),
    /// Deliver an event again, under the id that it had: for administrators.
    #[command(after_help = crate::exit::HELP)]
    Replay(replay::Args),
    /// Show what a sink of a configuration would be sent, without sending it.
    #[command(after_help = crate::exit::HELP)]
    Preview(preview::Args),
}

pub(crate) fn run(args: &Args, settings: &Settings, terminal: Terminal) -> Result<Exit, Failure> {
    match &args.verb {
        Verb::List(args) => list::run(args, &Client::new(settings)?, terminal),
        Verb::Replay(args) => replay::run(args, &Client::new(settings)?, terminal),
        Verb::Preview(args) => preview::run(args, terminal),
    }
}
