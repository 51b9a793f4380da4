//! What the verbs of `breakglass audit` read: files, and the heads to compare them with.

use std::fs;
use std::io::{self, BufReader, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::answer::{HeadsPage, Whole};
use crate::client::{Client, Failure, Settings};
use breakglass_audit::heads::{Heads, Window};
use breakglass_audit::line::Finder;
use breakglass_audit::source::Source;
use breakglass_audit::verdict::Verdict;
use breakglass_audit::verify::{Check, Seen};
use breakglass_server::clock::{Clock, SystemClock, parse_rfc3339};

/// Which log is read, and what it is checked against.
#[derive(Debug, clap::Args)]
pub(super) struct Input {
    /// The log: files in any order, plain, gzip or zstd; `-` is stdin.
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,

    /// What proxies reported of their chains: the approval service's URL, or a file that
    /// `breakglass audit heads` made.
    #[arg(long, value_name = "URL|FILE")]
    heads: Option<String>,

    /// Judge only the chains of this node.
    #[arg(long, requires = "heads", value_name = "NODE")]
    node: Option<String>,

    /// The log begins here: what was reported before may be absent from it, and nothing else.
    #[arg(long, requires = "heads", value_name = "RFC3339", value_parser = instant)]
    since: Option<String>,

    /// Look for records only as the value of the JSON member of this name.
    #[arg(long, value_name = "NAME")]
    key: Option<String>,

    /// The log must be as its proxies wrote it: copies of lines, another order and lines that were split
    /// break its integrity.
    #[arg(long)]
    strict: bool,

    /// How long after a record was written it must have been reported. A record that was not is `unvouched`,
    /// unless the heads were read sooner.
    #[arg(long, requires = "heads", default_value = "10s", value_name = "DURATION", value_parser = humantime::parse_duration)]
    unvouched_after: Duration,

    /// A log without a record, where no head asks for one, is in order.
    #[arg(long)]
    pub(super) allow_empty: bool,

    /// Show no progress on the terminal.
    #[arg(long)]
    no_progress: bool,
}

impl Input {
    /// Reads it all and checks it; `seen` is told of every record.
    pub(super) fn check(
        &self,
        settings: &Settings,
        seen: &mut dyn FnMut(Seen<'_>),
    ) -> Result<Verdict, Failure> {
        let heads = match &self.heads {
            Some(from) => Some(self.heads(from, settings)?),
            None => None,
        };
        let check = Check {
            finder: Finder { key: self.key.clone() },
            heads,
            strict: self.strict,
            unvouched_after: self.unvouched_after,
            now: SystemClock.now().ok(),
        };
        let sources: Vec<Source> = self.files.iter().map(|file| Source::named(file)).collect();
        let bar = self.bar(&sources);
        let verdict = check
            .run(sources, &|bytes| bar.inc(bytes), seen)
            .map_err(|error| Failure::Invalid(error.to_string()));
        bar.finish_and_clear();
        verdict
    }

    fn heads(&self, from: &str, settings: &Settings) -> Result<Heads, Failure> {
        let since = self.since.as_deref().and_then(parse_rfc3339);
        let mut heads = Heads::new(Window { since, node: self.node.clone() });
        let invalid = |error: serde_json::Error| {
            Failure::Invalid(format!("{from}: these are not heads of audit chains: {error}"))
        };
        if from.starts_with("https://") || from.starts_with("http://") {
            let settings = Settings { url: Some(from.to_owned()), ..settings.clone() };
            let client = Client::new(&settings)?;
            let not_ours = |error: serde_json::Error| {
                Failure::Failed(format!("{from}: these are not heads of audit chains: {error}"))
            };
            // Of all nodes: whose chain a record belongs to is known by its heads.
            pages(&client, self.since.as_deref(), None, &mut |page| {
                heads.add(&page).map_err(not_ours)
            })?;
        } else {
            let file = fs::File::open(from).map_err(|error| {
                Failure::Invalid(format!(
                    "--heads: {from}: {error}; the service's URL begins with `https://` or `http://`"
                ))
            })?;
            heads.read(BufReader::new(file)).map_err(invalid)?;
        }
        Ok(heads)
    }

    fn bar(&self, sources: &[Source]) -> ProgressBar {
        if self.no_progress || !io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let total: Option<u64> =
            sources.iter().map(Source::size).try_fold(0, |sum: u64, size| sum.checked_add(size?));
        let Some(total) = total else { return ProgressBar::new_spinner() };
        let style = "{wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
        let bar = ProgressBar::new(total);
        match ProgressStyle::with_template(style) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }
    }
}

/// Asks the service for all heads, page by page.
pub(super) fn pages(
    client: &Client,
    since: Option<&str>,
    node: Option<&str>,
    each: &mut dyn FnMut(Value) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut after = 0;
    loop {
        let mut path = format!("/v1/audit/heads?after={after}");
        for (name, value) in [("since", since), ("node", node)] {
            if let Some(value) = value {
                path = format!("{path}&{name}={}", crate::client::query_value(value));
            }
        }
        let page: Whole<HeadsPage> = client.page(&path)?;
        each(page.json)?;
        match page.body.next {
            None => return Ok(()),
            Some(next) if next > after => after = next,
            Some(_) => return Err(no_page("heads")),
        }
    }
}

/// The answer is not a part of a list. Taken for its end it would hide what comes after it.
pub(super) fn no_page(of: &str) -> Failure {
    Failure::Failed(format!("the answer is not a page of {of}: is it our service?"))
}

/// An instant, as it was given.
pub(super) fn instant(text: &str) -> Result<String, String> {
    match parse_rfc3339(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err("expected an instant such as `2026-11-22T02:13:00Z`".to_owned()),
    }
}
