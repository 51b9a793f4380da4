//! `breakglass proxies --expect FILE`: which of the proxies that should be there are not.
//!
//! A proxy is counted as receipts count it: by its Envoy process. Only one that is alive is there: it waits for news, or
//! was seen so lately that it may go on by what it knows.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::answer::{Node, Proxies, brief, one_line};
use crate::client::Failure;
use crate::exit::Exit;
use crate::terminal::Terminal;

/// How many processes are expected under each name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expected(BTreeMap<String, usize>);

/// A name under which fewer processes are there than expected.
#[derive(Debug, PartialEq, Eq)]
struct Missing<'a> {
    name: &'a str,
    expected: usize,
    alive: usize,
    /// Those that were there, and are silent.
    silent: Vec<&'a Node>,
}

impl Expected {
    /// Reads `NAME` or `NAME COUNT`, one a line; `#` at the beginning of a word begins a comment.
    pub(super) fn read(path: &Path) -> Result<Expected, Failure> {
        let shown = path.display();
        let text = fs::read_to_string(path)
            .map_err(|error| Failure::Invalid(format!("`--expect`: {shown}: {error}")))?;
        Expected::parse(&text)
            .map_err(|cause| Failure::Invalid(format!("`--expect`: {shown}{cause}")))
    }

    fn parse(text: &str) -> Result<Expected, String> {
        let mut names = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            let words: Vec<&str> =
                line.split_whitespace().take_while(|word| !word.starts_with('#')).collect();
            let number = index.saturating_add(1);
            let (name, count) = match words.split_last() {
                None => continue,
                Some((last, name))
                    if !name.is_empty() && last.bytes().all(|b| b.is_ascii_digit()) =>
                {
                    (name.join(" "), last.parse::<usize>().ok())
                }
                Some(_) => (words.join(" "), Some(1)),
            };
            let Some(count) = count.filter(|count| *count > 0) else {
                return Err(format!(
                    ", line {number}: expected a name, and how many Envoy processes of it at least, such as `edge 3`, \
                     got `{}`",
                    brief(line)
                ));
            };
            if names.insert(name.clone(), count).is_some() {
                return Err(format!(", line {number}: `{}` is listed twice", brief(&name)));
            }
        }
        if names.is_empty() {
            return Err(": nothing is expected: list at least one name, one a line".to_owned());
        }
        Ok(Expected(names))
    }

    /// What is missing. A name is that of a credential, or of a node.
    fn missing<'a>(&'a self, proxies: &'a [Node]) -> Vec<Missing<'a>> {
        let missing = |(name, expected): (&'a String, &'a usize)| {
            let named = proxies.iter().filter(|one| one.proxy == *name || one.node == *name);
            let (alive, silent): (Vec<&Node>, Vec<&Node>) =
                named.partition(|one| one.alive.unwrap_or(one.stale_for_s == 0));
            let (expected, alive) = (*expected, alive.len());
            (alive < expected).then_some(Missing { name, expected, alive, silent })
        };
        self.0.iter().filter_map(missing).collect()
    }

    /// Says what is missing.
    pub(super) fn tell(&self, known: &Proxies, terminal: Terminal) -> Result<Exit, Failure> {
        let missing = self.missing(&known.proxies);
        let answer = json!({
            "expected": self.0.len(),
            "complete": known.complete,
            "missing": missing.iter().map(Missing::value).collect::<Vec<Value>>(),
        });
        if missing.is_empty() {
            let line = format!("all {} expected proxies are there", self.0.len());
            terminal.result(&line, &answer)?;
            return Ok(Exit::Done);
        }
        let lines: Vec<String> = missing.iter().map(Missing::line).collect();
        terminal.result(&lines.join("\n"), &answer)?;
        if !known.complete {
            terminal.note(
                "the service has started less than a minute ago, and may not know all yet: ask again in a minute",
            );
        }
        terminal.note(
            "a proxy that is missing reads no feed: it is down, has no filter or no `revocation.feed`, or cannot reach the \
             service; its log says which. Ask its entrances with `breakglass probe`",
        );
        Ok(Exit::Fail)
    }
}

impl Missing<'_> {
    fn line(&self) -> String {
        let Missing { name, expected, alive, silent } = self;
        let mut line = format!("missing: {}: {alive} of {expected} there", one_line(name));
        for one in silent {
            let (node, at) = (one_line(&one.node), one.last_seen.text());
            line.push_str(&format!("; {node} is silent since {at}"));
        }
        line
    }

    fn value(&self) -> Value {
        let Missing { name, expected, alive, silent } = self;
        let silent: Vec<Value> = silent
            .iter()
            .map(|one| {
                json!({ "id": one.id, "node": one.node, "proxy": one.proxy,
                    "last_seen": one.last_seen.text() })
            })
            .collect();
        json!({ "name": name, "expected": expected, "alive": alive, "silent": silent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(proxy: &str, node: &str, alive: Option<bool>, stale_for_s: i64) -> Node {
        serde_json::from_value(json!({ "node": node, "proxy": proxy, "epoch": 1, "alive": alive,
            "last_seen": "2026-11-22T02:13:00Z", "stale_for_s": stale_for_s }))
        .unwrap()
    }

    #[test]
    fn names_are_of_credentials_or_nodes_and_processes_are_counted() {
        let text = "# edge\nedge 2 # both\n\n  gate-1\nnorth west 1\nold\nnone\n";
        let expected = Expected::parse(text).unwrap();
        let known = [
            proxy("edge", "gate-1", Some(true), 0),
            proxy("edge", "gate-1", Some(false), 40),
            proxy("north west", "n", Some(true), 3),
            // An older service does not say whether it is alive.
            proxy("old", "o", None, 0),
        ];
        let missing = expected.missing(&known);
        let found: Vec<_> = missing
            .iter()
            .map(|one| (one.name, one.alive, one.expected, one.silent.len()))
            .collect();
        assert_eq!(found, [("edge", 1, 2, 1), ("none", 0, 1, 0)]);
        assert_eq!(
            missing[0].line(),
            "missing: edge: 1 of 2 there; gate-1 is silent since 2026-11-22T02:13:00Z"
        );
    }

    #[test]
    fn nothing_expected_is_no_answer() {
        for text in ["", "\n \n", "# edge\n"] {
            assert!(Expected::parse(text).unwrap_err().contains("nothing is expected"), "{text:?}");
        }
        for text in ["edge\nedge 2", "a\nedge 0", "a\nedge 99999999999999999999999"] {
            assert!(Expected::parse(text).unwrap_err().contains("line 2"), "{text:?}");
        }
    }
}
