//! `breakglass audit verify`: is it all there, and is it what was written?

use super::input::Input;
use crate::audit::finding::Class;
use crate::audit::verdict::Verdict;
use crate::client::{Failure, Settings};
use crate::exit::Exit;
use crate::terminal::Terminal;

/// What `--help` says at its end.
pub(super) const HELP: &str = "\
Exit codes:
  0  nothing was changed, and nothing is missing
  1  failure: the service was unreachable
  2  denied: not an auditor
  3  invalid input: command line, a file that cannot be read
  4  integrity broken: something was changed, reordered, duplicated or forged
  5  incomplete: something is missing, or nobody can know whether it is (no --heads)
  6  both";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    input: Input,
}

pub(super) fn run(args: &Args, settings: &Settings, terminal: Terminal) -> Result<Exit, Failure> {
    let verdict = args.input.check(settings, &mut |_| ())?;
    terminal.result(&verdict.text(), &verdict.json())?;
    Ok(exit(&verdict))
}

/// The exit code of a verdict.
pub(super) fn exit(verdict: &Verdict) -> Exit {
    match (verdict.is_clean(Class::Integrity), verdict.is_clean(Class::Completeness)) {
        (true, true) => Exit::Done,
        (false, true) => Exit::Broken,
        (true, false) => Exit::Incomplete,
        (false, false) => Exit::BrokenAndIncomplete,
    }
}
