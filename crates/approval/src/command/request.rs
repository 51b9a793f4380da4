//! `breakglass request`: asks for access; with `--wait`, waits for the decision and prints the
//! token alone, so that `TOKEN=$(breakglass request --wait ..)` works.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::describe::{list, request as describe, text};
use super::token;
use crate::client::{Client, Failure};
use crate::duration;
use crate::exit::Exit;
use crate::terminal::Terminal;

/// How long one question waits for news: below what proxies in between may tolerate.
const POLL: Duration = Duration::from_secs(25);

/// How long to rest before a service that did not answer is asked again.
const REST: Duration = Duration::from_secs(1);

/// How often a service that did not answer is asked again.
const RETRIES: u32 = 60;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A scope to ask for; can be given more than once.
    #[arg(long = "scope", required = true, value_name = "SCOPE")]
    scopes: Vec<String>,

    /// Why; the approver and the audit trail see it.
    #[arg(long, value_name = "TEXT")]
    reason: String,

    /// The incident or ticket.
    #[arg(long, value_name = "ID")]
    incident: Option<String>,

    /// For how long, from approval on.
    #[arg(long, default_value = "30m", value_name = "DURATION")]
    duration: String,

    /// Call it an emergency.
    #[arg(long)]
    emergency: bool,

    /// Wait for the decision, then print the token alone on stdout.
    #[arg(long)]
    wait: bool,

    /// How long to wait at most; without it, until the request lapses.
    #[arg(long, requires = "wait", value_name = "DURATION", value_parser = duration::parse)]
    timeout: Option<i64>,
}

pub(crate) fn run(args: Args, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    let body = json!({
        "scopes": args.scopes, "reason": args.reason, "incident": args.incident,
        "duration": args.duration, "emergency": args.emergency,
    });
    let view = client.post("/v1/requests", &body)?;
    let id = text(&view, "/id").to_owned();
    terminal.note(&format!(
        "asked as {id}; lapses at {}; these may approve it: {}\n  breakglass approve {id}",
        text(&view, "/lapses_at"),
        list(&view, "/approvers"),
    ));
    if !args.wait {
        terminal.result(&id, &view)?;
        return Ok(Exit::Done);
    }
    terminal.note("waiting for the decision ..");
    let Some(view) = wait(client, &id, args.timeout.map(duration::from_seconds), terminal)? else {
        return Err(Failure::Failed(format!(
            "nobody has decided yet; {id} still waits: `breakglass token {id}` once it is approved"
        )));
    };
    if text(&view, "/state") != "approved" {
        terminal.note(&describe(&view));
        if terminal.json {
            terminal.result("", &view)?;
        }
        return Ok(Exit::Deny);
    }
    let by = text(&view, "/grant/approved_by");
    terminal.note(&format!("approved by {by}; ends at {}", text(&view, "/grant/expires_at")));
    token::print(client, &id, terminal)
}

/// The request once it is no longer pending, or nothing when `timeout` is over.
fn wait(
    client: &Client,
    id: &str,
    timeout: Option<Duration>,
    terminal: Terminal,
) -> Result<Option<Value>, Failure> {
    let start = Instant::now();
    let mut failures = 0_u32;
    loop {
        let left = timeout.map_or(POLL, |timeout| timeout.saturating_sub(start.elapsed()));
        let seconds = left.min(POLL).as_secs();
        let query = if seconds == 0 { String::new() } else { format!("?wait={seconds}s") };
        match client.get(&format!("/v1/requests/{id}{query}")) {
            Ok(view) if text(&view, "/state") != "pending" => return Ok(Some(view)),
            Ok(_) if seconds == 0 => return Ok(None),
            Ok(_) => failures = 0,
            // A service that restarts is no reason to lose the place in the queue.
            Err(failure) if failure.exit() == Exit::Fail && failures < RETRIES && seconds != 0 => {
                failures = failures.saturating_add(1);
                terminal.note(&format!("{failure}; asking again"));
                std::thread::sleep(REST);
            }
            Err(failure) => return Err(failure),
        }
    }
}
