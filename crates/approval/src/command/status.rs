//! `breakglass status`: one request in full, or a line for each that the caller may see.

use serde_json::Value;

use super::describe::{list, request as describe, text};
use crate::client::{Client, Failure, segment};
use crate::exit::Exit;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The request; without it, a list.
    #[arg(value_name = "REQUEST")]
    id: Option<String>,

    /// List only those in this state.
    #[arg(long, conflicts_with = "id", value_name = "STATE", value_parser = [
        "approved", "cancelled", "denied", "expired", "lapsed", "pending", "revoked",
    ])]
    state: Option<String>,
}

pub(crate) fn run(args: &Args, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    if let Some(id) = &args.id {
        let view = client.get(&format!("/v1/requests/{}", segment(id)?))?;
        terminal.result(&describe(&view), &view)?;
        return Ok(Exit::Done);
    }
    let query = args.state.as_ref().map(|state| format!("?state={state}")).unwrap_or_default();
    let answer = client.get(&format!("/v1/requests{query}"))?;
    let requests = answer.get("requests").and_then(Value::as_array);
    let lines: Vec<String> = requests.into_iter().flatten().map(line).collect();
    if lines.is_empty() {
        terminal.note("no requests");
        if !terminal.json {
            return Ok(Exit::Done);
        }
    }
    terminal.result(&lines.join("\n"), &answer)?;
    Ok(Exit::Done)
}

fn line(view: &Value) -> String {
    format!(
        "{}  {:<9}  {}  {}  {}  {}",
        text(view, "/id"),
        text(view, "/state"),
        text(view, "/requester"),
        list(view, "/scopes"),
        text(view, "/duration"),
        text(view, "/reason"),
    )
}
