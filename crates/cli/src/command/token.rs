//! `breakglass token`: prints the token of an approved request, alone.

use std::time::Duration;

use breakglass_api::request::Nothing;

use super::old_groups;
use super::retry::Notes;
use crate::answer::{Issued, Mismatch, Whole};
use crate::client::{Client, Failure, segment};
use crate::exit::Exit;
use crate::terminal::Terminal;

/// How often a service that did not answer is asked again. A token can be had as often as needed.
const RETRIES: u32 = 10;

/// How long to rest before that.
const REST: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The request's id; `breakglass status` lists them.
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
    let issued = issue(client, id, terminal)?;
    if let Some(grant) = grant {
        Mismatch::check("grant", grant, &issued.body.grant)?;
    }
    old_groups::note(&issued.body.old_groups, terminal);
    terminal.result(&issued.body.token, &issued.json)?;
    Ok(Exit::Done)
}

fn issue(client: &Client, id: &str, terminal: Terminal) -> Result<Whole<Issued>, Failure> {
    let path = format!("/v1/requests/{}/token", segment(id)?);
    let mut failures = 0_u32;
    let mut notes = Notes::default();
    loop {
        match client.post(&path, &Nothing {}) {
            Err(failure) if failure.may_pass() && failures < RETRIES => {
                failures = failures.saturating_add(1);
                notes.tell(&failure, terminal);
                std::thread::sleep(REST);
            }
            result => return result,
        }
    }
}
