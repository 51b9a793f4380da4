//! `breakglass revoke`: ends a grant at once. Takes the request's id as well: in a hurry, any id
//! that is at hand should do.

use serde_json::json;

use super::describe::text;
use crate::client::{Client, Failure, segment};
use crate::exit::Exit;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The grant, or the request that it was approved on.
    #[arg(value_name = "GRANT")]
    id: String,

    /// Why; the audit trail keeps it.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(crate) fn run(args: &Args, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    let grant = grant(client, segment(&args.id)?)?;
    let path = format!("/v1/grants/{}/revoke", segment(&grant)?);
    let revoked = client.post(&path, &json!({ "reason": args.reason }))?;
    terminal.note(&format!("revoked {grant} at {}", text(&revoked, "/revoked/at")));
    terminal.result("revoked", &revoked)?;
    Ok(Exit::Done)
}

fn grant(client: &Client, id: &str) -> Result<String, Failure> {
    if !id.starts_with("req_") {
        return Ok(id.to_owned());
    }
    let view = client.get(&format!("/v1/requests/{id}"))?;
    match text(&view, "/grant/id") {
        "" => Err(Failure::Invalid(format!(
            "{id} is {} and has no grant to revoke",
            text(&view, "/state")
        ))),
        grant => Ok(grant.to_owned()),
    }
}
