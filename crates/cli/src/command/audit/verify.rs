//! `breakglass audit verify`: is it all there, and is it what was written?

use super::input::Input;
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
pub(super) struct Args {
    #[command(flatten)]
    input: Input,
}

pub(super) fn run(args: &Args, settings: &Settings, terminal: Terminal) -> Result<Exit, Failure> {
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
