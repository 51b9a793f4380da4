//! `breakglass cancel`: takes back one's own pending request.

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
}

pub(crate) fn run(args: &Args, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    let view = client.post(&format!("/v1/requests/{}/cancel", segment(&args.id)?), &json!({}))?;
    terminal.note(&format!("took back {}", args.id));
    terminal.result(text(&view, "/state"), &view)?;
    Ok(Exit::Done)
}
