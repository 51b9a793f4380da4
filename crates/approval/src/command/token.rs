//! `breakglass token`: prints the token of an approved request, alone.

use serde_json::json;

use crate::answer::{Issued, Mismatch, Whole};
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
    print(client, &args.id, None, terminal)
}

/// Prints the token of this request, and checks that it carries `grant` where that is known.
pub(super) fn print(
    client: &Client,
    id: &str,
    grant: Option<&str>,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    let issued: Whole<Issued> =
        client.post(&format!("/v1/requests/{}/token", segment(id)?), &json!({}))?;
    if let Some(grant) = grant {
        Mismatch::check("grant", grant, &issued.body.grant)?;
    }
    terminal.result(&issued.body.token, &issued.json)?;
    Ok(Exit::Done)
}
