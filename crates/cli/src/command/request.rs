//! `breakglass request`: asks for access; with `--wait`, waits for the decision and prints the
//! token alone, so that `TOKEN=$(breakglass request --wait ..)` works.

use std::time::Duration;

use breakglass_api::request::Ask;
use tokio::time::Instant;

use super::describe::request as describe;
use super::interrupt::{Stage, Watch};
use super::opens;
use super::retry::Notes;
use super::submit::{Submitted, submit};
use super::token;
use super::when::{instant, now};
use crate::answer::{Asked as _, Request, State, Whole, Word, brief, one_line};
use crate::client::{Client, Failure};
use crate::exit::Exit;
use crate::terminal::Terminal;
use breakglass_server::duration;

/// How long one question waits for news: below what proxies in between may tolerate.
const POLL: Duration = Duration::from_secs(25);

/// How much longer than that an answer may take.
const POLL_SLACK: Duration = Duration::from_secs(10);

/// How long to rest before a service that did not answer is asked again.
const REST: Duration = Duration::from_secs(1);

/// How often a service that did not answer is asked again.
const RETRIES: u32 = 60;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A scope to ask for; can be given more than once. `breakglass scopes` lists them.
    #[arg(long = "scope", required = true, value_name = "SCOPE")]
    scopes: Vec<String>,

    /// Why; the approver and the audit trail see it.
    #[arg(long, value_name = "TEXT")]
    reason: String,

    /// The incident or ticket.
    #[arg(long, value_name = "ID")]
    incident: Option<String>,

    /// For how long from the approval on, such as `30m` or `1h 30m`.
    #[arg(long, default_value = "30m", value_name = "DURATION")]
    duration: String,

    /// Mark the request as an emergency. Approvers and the audit trail see it; no rule changes.
    #[arg(long)]
    emergency: bool,

    /// Wait for the decision, then print the token alone on stdout.
    #[arg(long)]
    wait: bool,

    /// Submit it although the same request of yours is pending.
    #[arg(long)]
    again: bool,

    /// How long to wait at most; without it, until the request lapses.
    #[arg(long, requires = "wait", value_name = "DURATION", value_parser = duration::parse)]
    timeout: Option<i64>,
}

pub(crate) fn run(args: Args, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    let Args { scopes, reason, incident, duration, emergency, wait: waits, timeout, again } = args;
    let watch = waits.then(|| Watch::start(terminal));
    let at = |stage: Stage| {
        if let Some(watch) = &watch {
            watch.at(stage);
        }
    };
    let ask = Ask { scopes, reason, incident, duration, emergency };
    let Submitted { request, earlier } = submit(&ask, again, client, terminal)?;
    let id = request.body.id.clone();
    at(Stage::Pending(id.clone()));
    terminal.note(&announce(&request.body, earlier));
    if !waits {
        terminal.result(&id, &request.json)?;
        return Ok(Exit::Done);
    }
    terminal.note("waiting for the decision ..");
    let decided = wait(client, &id, timeout.map(duration::from_seconds), terminal)?;
    at(Stage::Decided(id.clone()));
    let grant = match &decided.body.state {
        Word::Known(State::Approved) => decided.body.grant.as_ref(),
        Word::Other(word) => {
            return Err(Failure::Failed(format!(
                "{id} is `{}`, a state that this command line does not know: `breakglass status {id}`",
                brief(word)
            )));
        }
        _ => None,
    };
    let Some(grant) = grant else {
        terminal.note(&describe(&decided.body, now()));
        if terminal.json {
            terminal.result("", &decided.json)?;
        }
        // No person has said no: asking again may help.
        return Ok(if decided.body.state == State::Lapsed { Exit::Fail } else { Exit::Deny });
    };
    terminal.note(&format!(
        "approved by {}; ends at {}",
        one_line(&grant.approved_by),
        instant(&grant.expires_at, now())
    ));
    token::print(client, &id, Some(&grant.id), terminal)
}

/// What to say of the request once there is one.
fn announce(request: &Request, earlier: bool) -> String {
    let id = &request.id;
    let submitted = instant(&request.submitted_at, now());
    let begin = match earlier {
        true => format!(
            "you already asked for this as {id}, submitted at {submitted}: it is still pending, and no other request \
             was submitted (`--again` submits another one)"
        ),
        false => format!("asked as {id}"),
    };
    let lapses = instant(&request.lapses_at, now());
    let approvers = one_line(&request.approvers.as_deref().unwrap_or_default().join(", "));
    let mut lines = opens::warnings(request);
    lines.push(format!("{begin}; lapses at {lapses}; these may approve it: {approvers}"));
    lines.extend(opens::each(request).iter().map(|opens| format!("  opens {opens}")));
    lines.push(format!("  breakglass approve {id}"));
    lines.join("\n")
}

/// Whether to ask a service again that was reached before.
fn passes(failure: &Failure) -> bool {
    let unresolved = matches!(failure, Failure::Unreachable { cause, .. } if cause.is_unresolved());
    failure.may_pass() || unresolved
}

/// The request once it is no longer pending.
fn wait(
    client: &Client,
    id: &str,
    timeout: Option<Duration>,
    terminal: Terminal,
) -> Result<Whole<Request>, Failure> {
    let start = Instant::now();
    let mut failures = 0_u32;
    let mut notes = Notes::default();
    loop {
        let left = timeout.map_or(POLL, |timeout| timeout.saturating_sub(start.elapsed()));
        let seconds = left.min(POLL).as_secs();
        let query = if seconds == 0 { String::new() } else { format!("?wait={seconds}s") };
        let patience = POLL_SLACK.saturating_add(Duration::from_secs(seconds));
        let looked = client
            .get_within::<Whole<Request>>(&format!("/v1/requests/{id}{query}"), patience)
            .and_then(|request| request.body.is(id).map(|()| request).map_err(Failure::from));
        match looked {
            Ok(request) if request.body.state != State::Pending => return Ok(request),
            Ok(_) if seconds == 0 => return Err(Failure::Undecided { id: id.to_owned() }),
            Ok(_) => failures = 0,
            // A service that restarts, or a network that is gone for a moment, ends no wait: it was reached before.
            Err(failure) if passes(&failure) && failures < RETRIES && seconds != 0 => {
                failures = failures.saturating_add(1);
                notes.tell(&failure, terminal);
                std::thread::sleep(REST);
            }
            Err(failure) => {
                terminal.note(&format!(
                    "{id} was submitted, and may still be pending: `breakglass status {id}`, \
                     `breakglass token {id}`, `breakglass cancel {id}`"
                ));
                return Err(failure);
            }
        }
    }
}
