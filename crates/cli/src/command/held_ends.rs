//! `breakglass held-ends`: people who lost a group at their identity provider together with many others, so that their grants
//! go on until an administrator confirms that they end.

use breakglass_api::directory::ConfirmHeldEnds;
use breakglass_server::clock::{Moment, meant};

use super::when::{now, relative};
use crate::answer::{ConfirmedHeldEnds, HeldEnd, HeldEnds, Whole, one_line};
use crate::client::{Client, Failure};
use crate::exit::Exit;
use crate::terminal::Terminal;

const PATH: &str = "/v1/directory/held-ends";

/// How many the service lists at most.
const MOST: usize = 1000;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Let the grants end that are held for the loss of a group: it was no mistake of the identity provider.
    Confirm {
        /// The group, as `breakglass held-ends` lists it.
        #[arg(value_name = "GROUP")]
        group: String,
    },
}

pub(crate) fn run(args: &Args, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    match &args.verb {
        None => list(client, terminal),
        Some(Verb::Confirm { group }) => confirm(group, client, terminal),
    }
}

fn list(client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    let listed: Whole<HeldEnds> = client.get(PATH)?;
    let (now, ends) = (now(), &listed.body.held_ends);
    if ends.is_empty() {
        terminal.note("no ends of grants are held");
        if !terminal.json {
            return Ok(Exit::Done);
        }
    }
    let lines: Vec<String> = ends.iter().map(|end| line(end, now)).collect();
    terminal.result(&lines.join("\n"), &listed.json)?;
    if ends.len() >= MOST {
        terminal.note(&format!("these are the first {MOST}; there may be more"));
    }
    if !ends.is_empty() {
        terminal.note(
            "many people lost a group at once: if that is right, `breakglass held-ends confirm GROUP` ends their grants; if \
             it is a mistake, have the identity provider say the group again, and nothing ends",
        );
    }
    Ok(Exit::Done)
}

fn confirm(group: &str, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    let body = ConfirmHeldEnds { group: group.to_owned() };
    let done: Whole<ConfirmedHeldEnds> = client.post(&format!("{PATH}/confirm"), &body)?;
    let ConfirmedHeldEnds { people, revoked, left } = done.body;
    terminal.note(&format!(
        "{}, who lost `{}`: {} ended",
        count(people, "person", "people"),
        one_line(group),
        count(revoked, "grant", "grants")
    ));
    if left > 0 {
        terminal.note(&format!(
            "of {} the groups are not known now: their ends stay held, and `breakglass revoke --subject NAME` ends their \
             grants by hand",
            count(left, "person", "people")
        ));
    }
    terminal.result("confirmed", &done.json)?;
    // Nothing was done.
    Ok(if people == 0 { Exit::Fail } else { Exit::Done })
}

fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// A person on one line, which begins with the group.
fn line(end: &HeldEnd, now: Option<Moment>) -> String {
    let since = match now {
        Some(now) => relative(now, meant(&end.since)),
        None => end.since.text().to_owned(),
    };
    one_line(&format!("{}  {}  lost {since}", end.group, end.person))
}
