//! `breakglass done`: hands a grant back before its end. Only one's own: what somebody else holds
//! is revoked, with a reason.

use super::revoke::end;
use super::until_answered::{Attempts, Deadline};
use crate::answer::{Grant, Request, Requests, Whole, one_line};
use crate::client::{Client, Failure, segment};
use crate::exit::Exit;
use crate::terminal::Terminal;
use breakglass_server::duration;

/// What the trail says.
const REASON: &str = "handed back by its holder";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The grant, or the request that it was approved on; without it, the only one you hold.
    #[arg(value_name = "GRANT|REQUEST")]
    id: Option<String>,

    /// How long to try until the service has answered.
    #[arg(long, default_value = "30s", value_name = "DURATION", value_parser = duration::parse)]
    timeout: i64,
}

pub(crate) fn run(args: &Args, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    let deadline = Deadline::after(duration::from_seconds(args.timeout));
    let mut attempts = Attempts::new(deadline, terminal);
    let grant = match &args.id {
        Some(id) => own(client, segment(id)?, &mut attempts)?,
        None => only(client, &mut attempts)?,
    };
    let revoked = end(client, &grant, REASON, &mut attempts)?;
    terminal.note(&format!("handed back {grant} at {}", revoked.body.revoked.at.text()));
    terminal.result("handed back", &revoked.json)?;
    Ok(Exit::Done)
}

/// The caller's grant that this is the id of, or that was approved on the request with this id.
fn own(client: &Client, id: &str, attempts: &mut Attempts) -> Result<String, Failure> {
    let path = "/v1/requests?mine=true&limit=200";
    let answer: Whole<Requests> = attempts.call(|timeout| client.get_within(path, timeout))?;
    let is_it = |request: &Request| {
        request.id == id || request.grant.as_ref().is_some_and(|grant| grant.id == id)
    };
    let found = answer.body.requests.into_iter().find(is_it).ok_or_else(|| {
        Failure::Invalid(format!(
            "{id} is none of your latest requests or grants: `breakglass status` lists them, \
             and `breakglass revoke` ends a grant of another person"
        ))
    })?;
    match found.grant {
        Some(grant) => Ok(grant.id),
        None => Err(Failure::Invalid(format!(
            "{id} is {} and has no grant to hand back",
            found.state.word()
        ))),
    }
}

fn only(client: &Client, attempts: &mut Attempts) -> Result<String, Failure> {
    let path = "/v1/requests?mine=true&state=approved&limit=200";
    let answer: Whole<Requests> = attempts.call(|timeout| client.get_within(path, timeout))?;
    let live: Vec<(&Request, &Grant)> = answer
        .body
        .requests
        .iter()
        .filter_map(|request| request.grant.as_ref().map(|grant| (request, grant)))
        .collect();
    match live.as_slice() {
        [] => Err(Failure::Invalid("you hold no grant".to_owned())),
        [(_, grant)] => Ok(grant.id.clone()),
        several => {
            let lines: Vec<String> =
                several.iter().map(|(request, grant)| line(request, grant)).collect();
            Err(Failure::Invalid(format!(
                "you hold {} grants; say which one:\n{}",
                lines.len(),
                lines.join("\n")
            )))
        }
    }
}

fn line(request: &Request, grant: &Grant) -> String {
    format!(
        "  breakglass done {}  # {}, ends {}, {}",
        grant.id,
        one_line(&request.scopes.join(", ")),
        grant.expires_at.text(),
        one_line(&request.reason),
    )
}
