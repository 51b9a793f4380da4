//! `breakglass audit tail`: what happens under break-glass, as it happens.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::audit::line::{Finder, Found};
use crate::audit::paint::Painter;
use crate::audit::tail::{Follower, Last};
use crate::client::Failure;
use crate::exit::Exit;
use crate::terminal::Terminal;

/// How often the file is looked at: soon enough for somebody who watches.
const LOOK: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The log.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Show this many of the records that are there already.
    #[arg(long, short = 'n', default_value_t = 10, value_name = "COUNT")]
    lines: usize,

    /// End with the file, and do not wait for more.
    #[arg(long)]
    no_follow: bool,

    /// Look for records only as the value of the JSON member of this name.
    #[arg(long, value_name = "NAME")]
    key: Option<String>,
}

pub(super) fn run(args: &Args, terminal: Terminal) -> Result<Exit, Failure> {
    let failed = |error: io::Error| Failure::Invalid(format!("{}: {error}", args.file.display()));
    let finder = Finder { key: args.key.clone() };
    // https://no-color.org
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let painter = Painter { colour: wanted && io::stdout().is_terminal() };
    let mut follower = Follower::open(&args.file).map_err(failed)?;
    let mut last = Last::new(args.lines);
    for line in follower.lines().map_err(failed)? {
        records(&finder, &line, painter, terminal, &mut |shown| last.push(shown));
    }
    for shown in last {
        write(&shown)?;
    }
    if args.no_follow {
        return Ok(Exit::Done);
    }
    loop {
        std::thread::sleep(LOOK);
        let mut shown = Vec::new();
        for line in follower.lines().map_err(failed)? {
            records(&finder, &line, painter, terminal, &mut |one| shown.push(one));
        }
        for one in shown {
            write(&one)?;
        }
    }
}

/// The records of a line, each as it is shown.
fn records(
    finder: &Finder,
    line: &str,
    painter: Painter,
    terminal: Terminal,
    each: &mut dyn FnMut(String),
) {
    finder.records(line, &mut |found| {
        let Found::Record { text, intact, .. } = found else { return };
        if terminal.json {
            each(text.to_owned());
        } else if let Ok(record) = serde_json::from_str::<Value>(text) {
            each(painter.line(&record, intact));
        }
    });
}

fn write(line: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let written = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
    written.map_err(|error| Failure::Output(error.to_string()))
}
