//! What the verbs of `breakglass audit` read: files, and the heads to compare them with.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::audit::heads::Heads;
use crate::audit::line::Finder;
use crate::audit::source::Source;
use crate::audit::verdict::Verdict;
use crate::audit::verify::{Check, Seen};
use crate::client::{Client, Failure, Settings};
use crate::clock::parse_rfc3339;

/// Which log is read, and what it is checked against.
#[derive(Debug, clap::Args)]
pub(super) struct Input {
    /// The log: files in any order, plain, gzip or zstd; `-` is stdin.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// What proxies reported of their chains: the approval service's URL, or a file that
    /// `breakglass audit heads` made.
    #[arg(long, value_name = "URL|FILE")]
    heads: Option<String>,

    /// Expect only the chains of this node.
    #[arg(long, requires = "heads", value_name = "NODE")]
    node: Option<String>,

    /// The log begins here: chains that began before may lack their first records, and those that
    /// were last reported before may be absent.
    #[arg(long, requires = "heads", value_name = "RFC3339", value_parser = instant)]
    since: Option<String>,

    /// Look for records only as the value of the JSON member of this name.
    #[arg(long, value_name = "NAME")]
    key: Option<String>,

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
        let finder = Finder { key: self.key.clone() };
        let check = Check { finder, heads, since: self.since.clone() };
        let sources: Vec<Source> = self.files.iter().map(|file| Source::named(file)).collect();
        let bar = self.bar(&sources);
        let verdict = check
            .run(sources, &|bytes| bar.inc(bytes), seen)
            .map_err(|error| Failure::Invalid(error.to_string()));
        bar.finish_and_clear();
        verdict
    }

    fn heads(&self, from: &str, settings: &Settings) -> Result<Heads, Failure> {
        let mut heads = Heads::default();
        let mut add = |page: Value| {
            heads.add(page).map_err(|error| {
                Failure::Invalid(format!("{from}: these are not heads of audit chains: {error}"))
            })
        };
        if from.starts_with("https://") || from.starts_with("http://") {
            let settings = Settings { url: Some(from.to_owned()), ..settings.clone() };
            let client = Client::new(&settings)?;
            pages(&client, self.since.as_deref(), self.node.as_deref(), &mut add)?;
        } else {
            add(read(Path::new(from))?)?;
        }
        if let Some(node) = &self.node {
            heads.only_node(node);
        }
        if let Some(since) = &self.since {
            heads.only_since(since);
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
        let page = client.get(&path)?;
        let next = page.get("next").and_then(Value::as_i64);
        each(page)?;
        match next {
            Some(next) if next > after => after = next,
            _ => return Ok(()),
        }
    }
}

fn read(path: &Path) -> Result<Value, Failure> {
    let invalid = |cause: String| Failure::Invalid(format!("{}: {cause}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| invalid(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| invalid(error.to_string()))
}

/// An instant, as it was given.
pub(super) fn instant(text: &str) -> Result<String, String> {
    match parse_rfc3339(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err("expected an instant such as `2026-11-22T02:13:00Z`".to_owned()),
    }
}
