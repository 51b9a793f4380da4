//! `breakglass audit attempts`: what known callers were refused, and what auditors read.

use serde_json::{Value, json};

use super::super::describe::text;
use super::input::no_page;
use crate::client::{Client, Failure, Settings};
use crate::exit::Exit;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only what came after the row with this id.
    #[arg(long, default_value_t = 0, value_name = "ID")]
    after: i64,
}

pub(super) fn run(args: &Args, settings: &Settings, terminal: Terminal) -> Result<Exit, Failure> {
    let client = Client::new(settings)?;
    let mut after = args.after;
    let mut all = Vec::new();
    let removed = loop {
        let page = client.get(&format!("/v1/audit/attempts?after={after}"))?;
        let rows = page.get("attempts").and_then(Value::as_array).cloned();
        let next = page.get("next").filter(|next| next.is_i64() || next.is_null());
        let (Some(rows), Some(next)) = (rows, next) else { return Err(no_page("attempts")) };
        all.extend(rows);
        match next.as_i64() {
            Some(next) if next > after => after = next,
            Some(_) => return Err(no_page("attempts")),
            None => break page.get("removed_before").cloned().unwrap_or_default(),
        }
    };
    if let Some(removed) = removed.as_str() {
        terminal.note(&format!("what is from before {removed} was removed"));
    }
    if all.is_empty() && !terminal.json {
        terminal.note("none");
        return Ok(Exit::Done);
    }
    let lines: Vec<String> = all.iter().map(line).collect();
    let answer = json!({ "attempts": all, "next": null, "removed_before": removed });
    terminal.result(&lines.join("\n"), &answer)?;
    Ok(Exit::Done)
}

fn line(row: &Value) -> String {
    let member = |name: &str| text(row, &format!("/{name}")).to_owned();
    let count = row.get("count").and_then(Value::as_i64).unwrap_or(1);
    let what = match member("outcome").as_str() {
        "rest" => format!("and {count} more within a minute"),
        _ => [member("method"), member("endpoint"), member("object"), member("query")].join(" "),
    };
    let words = [member("at"), member("outcome"), member("caller"), member("source"), what];
    let line = words.into_iter().chain([member("reason")]).filter(|word| !word.trim().is_empty());
    line.map(|word| word.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect::<Vec<_>>()
        .join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_a_line() {
        let row = json!({
            "at": "2026-11-22T02:13:00Z", "outcome": "refused", "caller": "alice", "source": "10.0.0.7",
            "method": "POST", "endpoint": "/v1/requests/{id}/approve", "object": "req_1",
            "query": null, "reason": "self_approval", "count": 1,
        });
        assert_eq!(
            line(&row),
            "2026-11-22T02:13:00Z  refused  alice  10.0.0.7  POST /v1/requests/{id}/approve req_1  self_approval"
        );
        let rest = json!({ "at": "t", "outcome": "rest", "caller": "alice", "count": 9 });
        assert_eq!(line(&rest), "t  rest  alice  and 9 more within a minute");
    }
}
