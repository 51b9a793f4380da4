//! `breakglass token`: prints the token of an approved request, alone.

use serde_json::{Value, json};

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
    print(client, &args.id, terminal)
}

pub(crate) fn print(client: &Client, id: &str, terminal: Terminal) -> Result<Exit, Failure> {
    let issued: Value = client.post(&format!("/v1/requests/{}/token", segment(id)?), &json!({}))?;
    terminal.result(text(&issued, "/token"), &issued)?;
    Ok(Exit::Done)
}
