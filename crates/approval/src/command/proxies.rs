//! `breakglass proxies`: who reads the feed of revocations, and how far each has read.

use serde_json::Value;

use super::describe::text;
use crate::client::{Client, Failure};
use crate::exit::Exit;
use crate::terminal::Terminal;

pub(crate) fn run(client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    let answer: Value = client.get("/v1/proxies")?;
    let epoch = answer.get("epoch").and_then(Value::as_i64).unwrap_or(0);
    let proxies = answer.get("proxies").and_then(Value::as_array);
    let lines: Vec<String> =
        proxies.into_iter().flatten().map(|proxy| line(proxy, epoch)).collect();
    let since = text(&answer, "/since");
    terminal.note(&format!("the feed is at epoch {epoch}; proxies are known since {since}"));
    if lines.is_empty() {
        terminal.note("no proxy reads the feed");
        if !terminal.json {
            return Ok(Exit::Done);
        }
    }
    terminal.result(&lines.join("\n"), &answer)?;
    Ok(Exit::Done)
}

fn line(proxy: &Value, latest: i64) -> String {
    let number = |name: &str| proxy.get(name).and_then(Value::as_i64).unwrap_or(0);
    let epoch = number("epoch");
    let behind = match latest.saturating_sub(epoch) {
        ..=0 => "current".to_owned(),
        behind => format!("{behind} behind"),
    };
    let stale = match number("stale_for_s") {
        0 => "here".to_owned(),
        seconds => format!("stale for {seconds} s"),
    };
    format!("{}  {}  epoch {epoch}  {behind}  {stale}", text(proxy, "/node"), text(proxy, "/proxy"))
}
