//! `breakglass audit export`: the records in the forms that other systems read, one a line.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::Value;

use crate::audit::line::Finder;
use crate::audit::source::Source;
use crate::audit::verify::Check;
use crate::audit::{ecs, ocsf};
use crate::client::Failure;
use crate::exit::Exit;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The form: OCSF API Activity, or Elastic Common Schema.
    #[arg(long)]
    format: Format,

    /// The log: files in any order, plain or gzip; `-` is stdin.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Look for records only as the value of the JSON member of this name.
    #[arg(long, value_name = "NAME")]
    key: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Ocsf,
    Ecs,
}

pub(super) fn run(args: &Args, terminal: Terminal) -> Result<Exit, Failure> {
    let event = match args.format {
        Format::Ocsf => ocsf::event,
        Format::Ecs => ecs::event,
    };
    let check = Check { finder: Finder { key: args.key.clone() }, ..Check::default() };
    let sources = args.files.iter().map(|file| Source::named(file)).collect();
    let mut stdout = BufWriter::new(io::stdout().lock());
    let mut written = Ok(());
    let mut changed: u64 = 0;
    check
        .run(sources, &|_| (), &mut |seen| {
            changed = changed.saturating_add(u64::from(!seen.intact));
            if let (Ok(()), Ok(record)) = (&written, serde_json::from_str::<Value>(seen.text)) {
                written = writeln!(stdout, "{}", event(&record, seen.text));
            }
        })
        .map_err(|error| Failure::Invalid(error.to_string()))?;
    let written = written.and_then(|()| stdout.flush());
    written.map_err(|error| Failure::Output(error.to_string()))?;
    if changed > 0 {
        terminal.note(&format!(
            "{changed} of the records are not what was written: see `breakglass audit verify`"
        ));
    }
    Ok(Exit::Done)
}
