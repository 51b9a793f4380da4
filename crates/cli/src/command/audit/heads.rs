//! `breakglass audit heads`: what proxies reported, to be kept beside a log.
//!
//! One JSON document, the form of a page of the service's answer, written page by page: no more than one page is
//! in memory. If a page cannot be had, the document is not closed, and the exit code says why.

use std::io::{self, BufWriter, Write};

use serde_json::Value;

use super::input::{instant, no_page, pages};
use crate::client::{Client, Failure, Settings};
use crate::exit::Exit;
use breakglass_audit::text::misleads;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only what was reported at this instant or later, and how far each chain was before it.
    #[arg(long, value_name = "RFC3339", value_parser = instant)]
    since: Option<String>,

    /// Only what this node reported.
    #[arg(long, value_name = "NODE")]
    node: Option<String>,
}

pub(super) fn run(args: &Args, settings: &Settings) -> Result<Exit, Failure> {
    let client = Client::new(settings)?;
    // With `--json` or without: JSON is what it is for.
    let mut document = Document::new(BufWriter::new(io::stdout().lock()));
    pages(&client, args.since.as_deref(), args.node.as_deref(), &mut |page| document.page(&page))?;
    document.end()?;
    Ok(Exit::Done)
}

/// The document, as far as it is written.
struct Document<W> {
    to: W,
    heads: u64,
    state: State,
    /// What the last page said that retention had taken away.
    retention: [Value; 2],
}

/// The members of a page that say what retention has taken away.
const RETENTION: [&str; 2] = ["thinned_before", "removed_before"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Empty,
    /// The last page said that there are more.
    Begun,
    /// The last page said that it is the last one.
    Whole,
}

impl<W: Write> Document<W> {
    fn new(to: W) -> Document<W> {
        Document { to, heads: 0, state: State::Empty, retention: [Value::Null, Value::Null] }
    }

    /// `as_of` is that of the first page: all that was reported until then is in the document.
    fn page(&mut self, page: &Value) -> Result<(), Failure> {
        let as_of = page.get("as_of").filter(|as_of| as_of.is_string());
        let heads = page.get("heads").and_then(Value::as_array);
        let next = page.get("next").filter(|next| next.is_i64() || next.is_null());
        let (Some(as_of), Some(heads), Some(next)) = (as_of, heads, next) else {
            return Err(no_page("heads"));
        };
        if self.state == State::Empty {
            write!(self.to, "{{\"as_of\":{},\"heads\":[", plain(as_of)).map_err(not_written)?;
        }
        self.state = if next.is_null() { State::Whole } else { State::Begun };
        // It only goes on: what the last page says is true of those before it.
        self.retention = RETENTION.map(|name| page.get(name).cloned().unwrap_or_default());
        for head in heads {
            let separator = if self.heads == 0 { "\n" } else { ",\n" };
            write!(self.to, "{separator}{}", plain(head)).map_err(not_written)?;
            self.heads = self.heads.saturating_add(1);
        }
        Ok(())
    }

    fn end(mut self) -> Result<(), Failure> {
        if self.state != State::Whole {
            return Err(no_page("heads"));
        }
        write!(self.to, "\n],\"next\":null").map_err(not_written)?;
        for (name, value) in
            RETENTION.iter().zip(&self.retention).filter(|(_, value)| !value.is_null())
        {
            write!(self.to, ",\"{name}\":{}", plain(value)).map_err(not_written)?;
        }
        writeln!(self.to, "}}").map_err(not_written)?;
        self.to.flush().map_err(not_written)
    }
}

fn not_written(error: io::Error) -> Failure {
    Failure::Output(error.to_string())
}

/// The value as JSON in which no character steers the terminal.
fn plain(value: &Value) -> String {
    let json = value.to_string();
    if !json.contains(misleads) {
        return json;
    }
    let mut plain = String::with_capacity(json.len());
    for character in json.chars() {
        if misleads(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                plain.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            plain.push(character);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written(pages: &[Value], end: bool) -> String {
        let mut to = Vec::new();
        let mut document = Document::new(&mut to);
        pages.iter().for_each(|page| document.page(page).unwrap());
        assert_eq!(end, document.end().is_ok());
        String::from_utf8(to).unwrap()
    }

    #[test]
    fn pages_become_one_document() {
        let pages = [
            json!({ "as_of": "first", "heads": [], "next": 1 }),
            json!({ "as_of": "second", "heads": [{ "seq": 1 }, { "seq": 2 }], "next": 2 }),
            json!({ "as_of": "third", "heads": [{ "seq": 3 }], "next": null }),
        ];
        let heads = json!([{ "seq": 1 }, { "seq": 2 }, { "seq": 3 }]);
        assert_eq!(
            serde_json::from_str::<Value>(&written(&pages, true)).unwrap(),
            json!({ "as_of": "first", "heads": heads, "next": null })
        );
        let none = [json!({ "as_of": "first", "heads": [], "next": null })];
        assert_eq!(
            serde_json::from_str::<Value>(&written(&none, true)).unwrap(),
            json!({ "as_of": "first", "heads": [], "next": null })
        );
        let page = json!({
            "as_of": "first", "heads": [], "next": null, "thinned_before": null, "removed_before": "then",
        });
        assert_eq!(
            serde_json::from_str::<Value>(&written(&[page], true)).unwrap(),
            json!({ "as_of": "first", "heads": [], "next": null, "removed_before": "then" })
        );
        for pages in 1..=3 {
            let page = json!({ "as_of": "a", "heads": [{ "seq": 1 }], "next": 5 });
            let cut = written(&vec![page; pages], false);
            assert!(serde_json::from_str::<Value>(&cut).is_err(), "{cut}");
        }
    }

    #[test]
    fn what_steers_a_terminal_is_escaped_and_not_lost() {
        let head = json!({ "node": "a\u{9b}2J\u{202e}\u{1b}b" });
        let plain = plain(&head);
        assert_eq!(plain, "{\"node\":\"a\\u009b2J\\u202e\\u001bb\"}");
        assert_eq!(serde_json::from_str::<Value>(&plain).unwrap(), head);
    }
}
