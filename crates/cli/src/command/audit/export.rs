//! `breakglass audit export`: the records in the forms that other systems read, one a line.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::Value;

use crate::client::Failure;
use crate::exit::Exit;
use crate::terminal::Terminal;
use breakglass_audit::export::{Damage, Proof};
use breakglass_audit::files::{self, CUT, Next, TOO_LONG, broken, damaged};
use breakglass_audit::finding::{Kind, Place};
use breakglass_audit::join::Line;
use breakglass_audit::line::{Finder, Found};
use breakglass_audit::source::{Source, in_order};
use breakglass_audit::text::harmless_json;
use breakglass_audit::{ecs, ocsf};
use breakglass_server::clock::{Clock, SystemClock, rfc3339};

/// What `--help` says at its end.
pub(super) const HELP: &str = "\
Exit codes:
  0  done: every record is as it was sealed, or has no seal
  1  failure
  3  invalid input: command line, a file that cannot be read
  4  some records were changed or damaged; they are exported, and marked
  5  a file or a line ends in its middle, or a line is too long to be read
  6  both
  7  no records were found (with --allow-empty: 0)

Whether records are missing, `breakglass audit verify` says.";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The form: OCSF API Activity, or Elastic Common Schema.
    #[arg(long)]
    format: Format,

    /// The log: files in any order, plain, gzip or zstd; `-` is stdin.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Look for records only as the value of the JSON member of this name.
    #[arg(long, value_name = "NAME")]
    key: Option<String>,

    /// Accept a log without records.
    #[arg(long)]
    allow_empty: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Ocsf,
    Ecs,
}

impl Format {
    fn event(self, record: &Value, raw: &str, proof: Proof) -> Value {
        match self {
            Format::Ocsf => ocsf::event(record, raw, proof),
            Format::Ecs => ecs::event(record, raw, proof),
        }
    }

    fn damage(self, damage: &Damage<'_>) -> Value {
        match self {
            Format::Ocsf => ocsf::damage(damage),
            Format::Ecs => ecs::damage(damage),
        }
    }
}

pub(super) fn run(args: &Args, terminal: Terminal) -> Result<Exit, Failure> {
    let finder = Finder { key: args.key.clone() };
    let now = SystemClock.now().map_err(|error| Failure::Failed(error.to_string()))?;
    let sources = args.files.iter().map(|file| Source::named(file)).collect();
    let sources = in_order(sources, &finder)
        .map_err(|(name, error)| Failure::Invalid(format!("{name}: {error}")))?;
    let mut export = Export {
        format: args.format,
        names: sources.iter().map(Source::name).collect(),
        stdout: BufWriter::new(io::stdout().lock()),
        written: Ok(()),
        time: rfc3339(now.seconds()),
        counts: BTreeMap::new(),
    };
    files::read(&sources, &finder, &|_| (), &mut |next| match next {
        Next::Line(line) => export.line(&line, &finder),
        Next::Broken { place, cut } => {
            let kind = if cut { Kind::Truncated } else { Kind::Damaged };
            export.damaged(kind, broken(cut), place, "");
        }
    })
    .map_err(|error| Failure::Invalid(error.to_string()))?;
    let counts = export.finish()?;
    if let Some(note) = note(&counts) {
        terminal.note(&note);
    }
    Ok(exit(&counts, args.allow_empty))
}

/// Writes the events, and counts them by their words.
struct Export<W> {
    format: Format,
    names: Vec<String>,
    stdout: W,
    written: io::Result<()>,
    /// The time of the last record; before the first one, now.
    time: String,
    counts: BTreeMap<&'static str, u64>,
}

impl<W: Write> Export<W> {
    fn line(&mut self, line: &Line<'_>, finder: &Finder) {
        let Some(text) = line.text else {
            return self.damaged(Kind::TooLong, TOO_LONG, line.place, "");
        };
        let mut damage = None;
        finder.records(text, &mut |found| match found {
            Found::Record { text, record, intact } => match Proof::of(record, intact) {
                Ok(proof) => {
                    self.time = record.time.0.clone().into_owned();
                    self.record(text, proof);
                }
                Err(error) => damage = Some(error),
            },
            Found::Damaged(error) => damage = Some(error),
        });
        match damage {
            Some(_) if !line.whole => self.damaged(Kind::Truncated, CUT, line.place, text),
            Some(error) => self.damaged(Kind::Damaged, &damaged(&error), line.place, text),
            None => (),
        }
    }

    fn record(&mut self, text: &str, proof: Proof) {
        if let Ok(record) = serde_json::from_str::<Value>(text) {
            self.count(proof.word());
            self.write(&self.format.event(&record, text, proof));
        }
    }

    fn damaged(&mut self, kind: Kind, reason: &str, place: Place, text: &str) {
        let file = usize::try_from(place.file).ok().and_then(|file| self.names.get(file));
        let file = file.map(String::as_str).unwrap_or_default();
        let (finding, line, time) = (kind.word(), place.line, self.time.as_str());
        let event = self.format.damage(&Damage { finding, reason, file, line, text, time });
        self.count(finding);
        self.write(&event);
    }

    fn count(&mut self, word: &'static str) {
        let count = self.counts.entry(word).or_default();
        *count = count.saturating_add(1);
    }

    fn write(&mut self, event: &Value) {
        if self.written.is_ok() {
            self.written = writeln!(self.stdout, "{}", harmless_json(&event.to_string()));
        }
    }

    fn finish(mut self) -> Result<BTreeMap<&'static str, u64>, Failure> {
        let written = self.written.and_then(|()| self.stdout.flush());
        written.map_err(|error| Failure::Output(error.to_string()))?;
        Ok(self.counts)
    }
}

/// What a reader of the events has to know of them.
fn note(counts: &BTreeMap<&'static str, u64>) -> Option<String> {
    if counts.is_empty() {
        return Some("no records were found: nothing was exported".to_owned());
    }
    if counts.keys().all(|word| *word == Proof::Sealed.word()) {
        return None;
    }
    let counts: Vec<String> =
        counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    Some(format!("exported: {}; see `breakglass audit verify`", counts.join(", ")))
}

fn exit(counts: &BTreeMap<&'static str, u64>, allow_empty: bool) -> Exit {
    let has = |kinds: &[Kind]| kinds.iter().any(|kind| counts.contains_key(kind.word()));
    let broken = has(&[Kind::Changed, Kind::Damaged]);
    match (broken, has(&[Kind::Truncated, Kind::TooLong])) {
        (true, true) => Exit::BrokenAndIncomplete,
        (true, false) => Exit::Broken,
        (false, true) => Exit::Incomplete,
        (false, false) if counts.is_empty() && !allow_empty => Exit::NothingChecked,
        (false, false) => Exit::Done,
    }
}
