//! `breakglass audit verify`: is it all there, and is it what was written?

use std::path::PathBuf;

use super::input::Input;
use super::service;
use crate::client::{Failure, Settings};
use crate::exit::Exit;
use crate::terminal::Terminal;
use breakglass_audit::finding::Class;
use breakglass_audit::verdict::{Conclusion, Verdict};

/// What `--help` says at its end.
pub(super) const HELP: &str = "\
Exit codes:
  0  nothing was changed, and nothing is missing
  1  failure: the service was unreachable
  2  denied: not an auditor
  3  invalid input: command line, a file that cannot be read
  4  integrity broken: something was changed or forged
  5  incomplete: something is missing, or it cannot be known whether it is (no --heads)
  6  both
  7  nothing was checked: there was no record, and no head asks for one";

#[derive(Debug, clap::Args)]
// The service's own events can come from the service.
#[command(mut_arg("files", |files| files.required(false).required_unless_present("service")))]
pub(super) struct Args {
    #[command(flatten)]
    input: Input,

    /// Check the approval service's own events: FILE is a copy of its database, or the answers of `GET /v1/audit/events`;
    /// without FILE, the service at `--url` is asked for them, with an auditor's API token.
    #[arg(long, requires = "trail_key", conflicts_with_all = ["heads", "key", "strict"])]
    service: bool,

    /// The public keys of the service's trail, as `breakglass database trail-key` prints them.
    #[arg(long, requires = "service", value_name = "FILE")]
    trail_key: Vec<PathBuf>,

    /// The last head of the service's trail that was kept elsewhere, as an earlier check with --service printed it.
    #[arg(long, requires = "service", value_name = "FILE")]
    trail_head: Option<PathBuf>,
}

pub(super) fn run(args: &Args, settings: &Settings, terminal: Terminal) -> Result<Exit, Failure> {
    if args.service {
        let head = args.trail_head.as_deref();
        return service::run(&args.input.files, &args.trail_key, head, settings, terminal);
    }
    let verdict = args.input.check(settings, &mut |_| ())?;
    terminal.result(&verdict.text(), &verdict.json())?;
    Ok(exit(&verdict, args.input.allow_empty))
}

/// The exit code of a verdict.
pub(super) fn exit(verdict: &Verdict, allow_empty: bool) -> Exit {
    match verdict.conclusion() {
        Conclusion::Ok => Exit::Done,
        Conclusion::Broken => Exit::Broken,
        Conclusion::Incomplete => Exit::Incomplete,
        Conclusion::BrokenAndIncomplete => Exit::BrokenAndIncomplete,
        Conclusion::NothingChecked if !allow_empty => Exit::NothingChecked,
        // What was found beside is no more in order for it.
        Conclusion::NothingChecked if verdict.is_clean(Class::Completeness) => Exit::Done,
        Conclusion::NothingChecked => Exit::Incomplete,
    }
}
