//! `breakglass audit attempts`: what known callers were refused, and what auditors read.

use serde_json::{Value, json};

use super::input::no_page;
use crate::answer::{Attempt, Attempts, Instant, Outcome, Whole};
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
    let (mut lines, mut all) = (Vec::new(), Vec::new());
    let removed = loop {
        let page: Whole<Attempts> = client.page(&format!("/v1/audit/attempts?after={after}"))?;
        lines.extend(page.body.attempts.iter().map(line));
        all.extend(
            page.json.get("attempts").and_then(Value::as_array).into_iter().flatten().cloned(),
        );
        match page.body.next {
            Some(next) if next > after => after = next,
            Some(_) => return Err(no_page("attempts")),
            None => break page.body.removed_before,
        }
    };
    let removed = removed.as_ref().map(Instant::text);
    if let Some(removed) = removed {
        terminal.note(&format!("what is from before {removed} was removed"));
    }
    if all.is_empty() && !terminal.json {
        terminal.note("none");
        return Ok(Exit::Done);
    }
    let answer = json!({ "attempts": all, "next": null, "removed_before": removed });
    terminal.result(&lines.join("\n"), &answer)?;
    Ok(Exit::Done)
}

fn line(row: &Attempt) -> String {
    let member = |text: &Option<String>| text.clone().unwrap_or_default();
    let what = match row.outcome.known() {
        Some(Outcome::Rest) => format!("and {} more within a minute", row.count),
        _ => [&row.method, &row.endpoint, &row.object, &row.query].map(member).join(" "),
    };
    let words = [row.at.text(), row.outcome.word(), &row.caller].map(str::to_owned);
    let words = words.into_iter().chain([member(&row.source), what, member(&row.reason)]);
    words
        .map(|words| words.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|words| !words.is_empty())
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
            line(&serde_json::from_value(row).unwrap()),
            "2026-11-22T02:13:00Z  refused  alice  10.0.0.7  POST /v1/requests/{id}/approve req_1  self_approval"
        );
        let rest = json!({ "at": "2026-11-22T02:13:00Z", "outcome": "rest", "caller": "alice", "count": 9 });
        let rest = line(&serde_json::from_value(rest).unwrap());
        assert_eq!(rest, "2026-11-22T02:13:00Z  rest  alice  and 9 more within a minute");
    }
}
