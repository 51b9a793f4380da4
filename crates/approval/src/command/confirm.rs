//! Waits until the proxies that read the feed have confirmed an epoch.
//!
//! Confirmed is what the service knows: a proxy confirms an epoch by asking for what comes after.
//! That nobody reads the feed is no confirmation.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::describe::text;
use crate::client::{Client, Failure};
use crate::exit::Exit;
use crate::terminal::Terminal;

/// How often the service is asked: people see a proxy's confirmation as it comes.
const ASK: Duration = Duration::from_millis(200);

/// How often the counts are told while they stay the same.
const TELL: Duration = Duration::from_secs(5);

/// What the service says of the proxies.
struct Count {
    /// The nodes that have confirmed.
    confirmed: Vec<String>,
    /// Those that have not, and for how many seconds they have not been seen.
    missing: Vec<(String, i64, i64)>,
    epoch: i64,
}

/// Waits, and tells on stderr what it sees. Ends with 1 if some known proxy has not confirmed
/// `epoch` when the time is over, or none is known.
pub(super) fn wait(
    client: &Client,
    epoch: i64,
    timeout: Duration,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    let start = Instant::now();
    let mut told = (String::new(), start);
    let mut seen = BTreeSet::new();
    let mut warned = false;
    loop {
        // Before the question, so that the last one is asked when the time is over.
        let over = start.elapsed() >= timeout;
        match client.get("/v1/proxies") {
            Ok(answer) => {
                let count = Count::new(&answer, epoch);
                if answer.get("complete") == Some(&Value::Bool(false)) && !warned {
                    warned = true;
                    terminal.note(&format!(
                        "the service knows its proxies only since {}: some may be missing",
                        text(&answer, "/since")
                    ));
                }
                for node in &count.confirmed {
                    if seen.insert(node.clone()) {
                        terminal.note(&format!("  {node}: confirmed"));
                    }
                }
                if count.missing.is_empty() && !count.confirmed.is_empty() {
                    terminal.note(&count.line());
                    return Ok(Exit::Done);
                }
                if over {
                    count.tell_missing(terminal);
                    return Ok(Exit::Fail);
                }
                let line = count.line();
                if told.0.is_empty() || told.1.elapsed() >= TELL {
                    terminal.note(&line);
                    told = (line, Instant::now());
                }
            }
            // A service that restarts is no reason to stop looking.
            Err(failure) if failure.exit() == Exit::Fail && !over => {
                terminal.note(&format!("{failure}; asking again"));
            }
            Err(failure) if failure.exit() == Exit::Fail => {
                terminal.note(&format!("{failure}; it is not known who has confirmed"));
                return Ok(Exit::Fail);
            }
            Err(failure) => {
                terminal.note(&format!("{failure}; it is not known who has confirmed"));
                return Ok(failure.exit());
            }
        }
        std::thread::sleep(ASK);
    }
}

impl Count {
    fn new(answer: &Value, epoch: i64) -> Count {
        let mut count = Count { confirmed: Vec::new(), missing: Vec::new(), epoch };
        let proxies = answer.get("proxies").and_then(Value::as_array);
        for proxy in proxies.into_iter().flatten() {
            let number = |name: &str| proxy.get(name).and_then(Value::as_i64).unwrap_or(0);
            let node = format!("{} ({})", text(proxy, "/node"), text(proxy, "/proxy"));
            if number("epoch") >= epoch {
                count.confirmed.push(node);
            } else {
                count.missing.push((node, number("epoch"), number("stale_for_s")));
            }
        }
        count
    }

    /// Such as `47 of 48 at epoch 912, 1 stale for 12 s`.
    fn line(&self) -> String {
        let (confirmed, missing) = (self.confirmed.len(), self.missing.len());
        let known = confirmed.saturating_add(missing);
        if known == 0 {
            return "no proxy reads the feed".to_owned();
        }
        let stale = self.missing.iter().map(|(_, _, stale)| *stale).max();
        let stale = stale.map(|stale| format!(", {missing} stale for {stale} s"));
        format!("{confirmed} of {known} at epoch {}{}", self.epoch, stale.unwrap_or_default())
    }

    fn tell_missing(&self, terminal: Terminal) {
        for (node, epoch, stale) in &self.missing {
            terminal.note(&format!(
                "  {node}: not confirmed, at epoch {epoch}, last seen {stale} s ago"
            ));
        }
        terminal.note(&self.line());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn counts_who_has_confirmed() {
        let node = |epoch: i64, stale_for_s: i64| json!({ "node": "n", "proxy": "p", "epoch": epoch, "stale_for_s": stale_for_s });
        for (proxies, line) in [
            (vec![], "no proxy reads the feed"),
            (vec![node(912, 0), node(913, 0)], "2 of 2 at epoch 912"),
            (vec![node(912, 400), node(911, 12)], "1 of 2 at epoch 912, 1 stale for 12 s"),
            (vec![node(0, 0), node(3, 12)], "0 of 2 at epoch 912, 2 stale for 12 s"),
        ] {
            let count = Count::new(&json!({ "proxies": proxies }), 912);
            assert_eq!(count.line(), line);
        }
    }
}
