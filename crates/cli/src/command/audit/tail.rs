//! `breakglass audit tail`: what happens under break-glass, as it happens.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::client::Failure;
use crate::exit::Exit;
use crate::terminal::Terminal;
use breakglass_audit::export::Proof;
use breakglass_audit::files::{TOO_LONG, damaged};
use breakglass_audit::finding::Place;
use breakglass_audit::join::{Joiner, Line};
use breakglass_audit::line::{Finder, Found};
use breakglass_audit::paint::Painter;
use breakglass_audit::tail::{Follower, Last};
use breakglass_audit::text::harmless_json;

/// How often the file is looked at: soon enough for a person who watches.
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
    let painter = Painter { colour: wanted && !terminal.json && io::stdout().is_terminal() };
    let mut follower = Follower::open(&args.file).map_err(failed)?;
    let mut lines =
        Shower { finder: &finder, joiner: Joiner::new(&finder), painter, terminal, at: 0 };
    let mut last = Last::new(args.lines);
    for line in follower.lines().map_err(failed)? {
        lines.line(&line, &mut |shown| last.push(shown));
    }
    if args.no_follow {
        lines.end(&mut |shown| last.push(shown));
    }
    for shown in last {
        shown.write(terminal)?;
    }
    if args.no_follow {
        return Ok(Exit::Done);
    }
    loop {
        std::thread::sleep(LOOK);
        let mut shown = Vec::new();
        for line in follower.lines().map_err(failed)? {
            lines.line(&line, &mut |one| shown.push(one));
        }
        for one in shown {
            one.write(terminal)?;
        }
    }
}

/// What is shown of a record, or of what was one.
struct Shown {
    stdout: Option<String>,
    /// Where stdout is for records alone.
    stderr: Option<String>,
}

impl Shown {
    fn write(&self, terminal: Terminal) -> Result<(), Failure> {
        self.stderr.iter().for_each(|note| terminal.note(note));
        self.stdout.iter().try_for_each(|line| write(line))
    }
}

/// Makes of a log what is shown of it.
struct Shower<'f> {
    finder: &'f Finder,
    joiner: Joiner<'f>,
    painter: Painter,
    terminal: Terminal,
    at: u64,
}

impl Shower<'_> {
    fn line(&mut self, bytes: &[u8], each: &mut dyn FnMut(Shown)) {
        self.at = self.at.saturating_add(1);
        let place = Place { file: 0, line: self.at };
        let (finder, painter, terminal) = (self.finder, self.painter, self.terminal);
        self.joiner.line(place, bytes, true, &mut |line| {
            records(finder, &line, painter, terminal, each);
        });
    }

    /// There is no more.
    fn end(&mut self, each: &mut dyn FnMut(Shown)) {
        let (finder, painter, terminal) = (self.finder, self.painter, self.terminal);
        self.joiner.end(&mut |line| records(finder, &line, painter, terminal, each));
    }
}

/// The records of a line, each as it is shown.
fn records(
    finder: &Finder,
    line: &Line<'_>,
    painter: Painter,
    terminal: Terminal,
    each: &mut dyn FnMut(Shown),
) {
    let mut damage = |reason: &str, text: &str| {
        let line = Some(painter.damage(reason, text));
        each(match terminal.json {
            true => Shown { stdout: None, stderr: line },
            false => Shown { stdout: line, stderr: None },
        });
    };
    let Some(text) = line.text else { return damage(TOO_LONG, "") };
    let mut damaged_by = None;
    let mut shown = Vec::new();
    finder.records(text, &mut |found| match found {
        Found::Record { text, record, intact } => {
            let proof = match Proof::of(record, intact) {
                Ok(proof) => proof,
                Err(error) => return damaged_by = Some(error),
            };
            if let Ok(record) = serde_json::from_str::<Value>(text) {
                let line = Some(painter.line(&record, proof));
                shown.push(match terminal.json {
                    true => Shown {
                        stdout: Some(harmless_json(text)),
                        stderr: line.filter(|_| proof == Proof::Changed),
                    },
                    false => Shown { stdout: line, stderr: None },
                });
            }
        }
        Found::Damaged(error) => damaged_by = Some(error),
    });
    if let Some(error) = damaged_by {
        damage(&damaged(&error), text);
    }
    shown.into_iter().for_each(each);
}

fn write(line: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let written = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
    written.map_err(|error| Failure::Output(error.to_string()))
}
