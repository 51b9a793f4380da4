//! `breakglass done`: hands a grant back before its end. Only one's own: what somebody else holds
//! is revoked, with a reason.

use serde_json::Value;

use super::describe::{list, text};
use super::revoke::end;
use crate::client::{Client, Failure, segment};
use crate::exit::Exit;
use crate::terminal::Terminal;

/// What the trail says.
const REASON: &str = "handed back by its holder";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The grant, or the request that it was approved on; without it, the only one you hold.
    #[arg(value_name = "GRANT|REQUEST")]
    id: Option<String>,
}

pub(crate) fn run(args: &Args, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    let grant = match &args.id {
        Some(id) => own(client, segment(id)?)?,
        None => only(client)?,
    };
    let revoked = end(client, &grant, REASON)?;
    terminal.note(&format!("handed back {grant} at {}", text(&revoked, "/revoked/at")));
    terminal.result("handed back", &revoked)?;
    Ok(Exit::Done)
}

/// The caller's grant that this is the id of, or that was approved on the request with this id.
fn own(client: &Client, id: &str) -> Result<String, Failure> {
    let answer = client.get("/v1/requests?mine=true&limit=200")?;
    let found = requests(&answer)
        .find(|view| text(view, "/id") == id || text(view, "/grant/id") == id)
        .ok_or_else(|| {
            Failure::Invalid(format!(
                "{id} is none of your latest requests or grants: `breakglass status` lists them, \
                 and `breakglass revoke` ends what somebody else holds"
            ))
        })?;
    match text(found, "/grant/id") {
        "" => Err(Failure::Invalid(format!(
            "{id} is {} and has no grant to hand back",
            text(found, "/state")
        ))),
        grant => Ok(grant.to_owned()),
    }
}

fn only(client: &Client) -> Result<String, Failure> {
    let answer = client.get("/v1/requests?mine=true&state=approved&limit=200")?;
    let live: Vec<&Value> = requests(&answer).collect();
    match live.as_slice() {
        [] => Err(Failure::Invalid("you hold no grant".to_owned())),
        [view] => Ok(text(view, "/grant/id").to_owned()),
        several => {
            let lines: Vec<String> = several.iter().map(|view| line(view)).collect();
            Err(Failure::Invalid(format!(
                "you hold {} grants; say which one:\n{}",
                lines.len(),
                lines.join("\n")
            )))
        }
    }
}

fn requests(answer: &Value) -> impl Iterator<Item = &Value> {
    answer.get("requests").and_then(Value::as_array).into_iter().flatten()
}

fn line(view: &Value) -> String {
    format!(
        "  breakglass done {}  # {}, ends {}, {}",
        text(view, "/grant/id"),
        list(view, "/scopes"),
        text(view, "/grant/expires_at"),
        text(view, "/reason"),
    )
}
