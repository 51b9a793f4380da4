//! `breakglass deny`: says no to a request, and why.

use serde_json::json;

use super::describe::text;
use crate::client::{Client, Failure, segment};
use crate::exit::Exit;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The request.
    #[arg(value_name = "REQUEST")]
    id: String,

    /// Why; the requester and the audit trail see it.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(crate) fn run(args: &Args, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    let path = format!("/v1/requests/{}/deny", segment(&args.id)?);
    let view = client.post(&path, &json!({ "reason": args.reason }))?;
    terminal.note(&format!("denied {} of {}", args.id, text(&view, "/requester")));
    terminal.result(text(&view, "/state"), &view)?;
    Ok(Exit::Done)
}
