//! What `request` and `extend` share: a request is submitted; with `--wait` its decision is waited for, and the token
//! printed alone, so that `TOKEN=$(breakglass request --wait ..)` works.

use breakglass_api::request::Ask;
use breakglass_server::duration;

use super::describe::request as describe;
use super::emergency;
use super::granted;
use super::incident;
use super::interrupt::{Stage, Watch};
use super::old_groups;
use super::opens;
use super::submit::{Submitted, submit};
use super::token;
use super::told;
use super::wait::{Patience, wait};
use super::when::{instant, now};
use crate::answer::{Grant, Request, State, Word, brief, one_line};
use crate::client::{Client, Failure};
use crate::exit::Exit;
use crate::terminal::Terminal;

/// How to ask.
#[derive(Debug, clap::Args)]
pub(super) struct How {
    /// Mark the request as an emergency. Approvers and the audit trail see it; a rule can ask for more approvals then. Where each rule has `emergency`, you take the grant alone.
    #[arg(long)]
    pub(super) emergency: bool,

    /// Wait for the decision, then print the token alone on stdout. What approvers ask meanwhile is on stderr.
    #[arg(long)]
    wait: bool,

    /// Submit it although the same request of yours is pending.
    #[arg(long)]
    again: bool,

    /// How long to wait at most; without it, until the request lapses.
    #[arg(long, requires = "wait", value_name = "DURATION", value_parser = duration::parse)]
    timeout: Option<i64>,
}

/// Submits it, and waits where that is wanted.
pub(super) fn ask(
    ask: &Ask,
    how: &How,
    client: &Client,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    let watch = how.wait.then(|| Watch::start(terminal));
    let at = |stage: Stage| {
        if let Some(watch) = &watch {
            watch.at(stage);
        }
    };
    let Submitted { request, earlier } = submit(ask, how.again, client, terminal)?;
    let id = request.body.id.clone();
    at(Stage::Pending(id.clone()));
    terminal.note(&announce(&request.body, earlier));
    old_groups::note(&request.body.old_groups, terminal);
    if let Some(line) = incident::unchecked(&request.body) {
        terminal.alarm(&line);
    }
    told::note(&request.body, terminal);
    if !how.wait {
        terminal.result(&id, &request.json)?;
        return Ok(Exit::Done);
    }
    terminal.note("waiting for the decision ..");
    let timeout = how.timeout.map(duration::from_seconds);
    let decided = wait(client, &id, Patience { timeout, look_first: earlier }, terminal)?;
    at(Stage::Decided(id.clone()));
    let grant = match &decided.body.state {
        Word::Known(State::Approved | State::Active) => decided.body.grant.as_ref(),
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
    terminal.note(&approved(&decided.body, grant));
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
    let extends = request.extends.as_ref();
    let extends = extends.map(|parent| format!(", which goes on with {}", parent.id));
    let lapses = instant(&request.lapses_at, now());
    let approvers = one_line(&request.approvers.as_deref().unwrap_or_default().join(", "));
    let mut lines = opens::warnings(request);
    let extends = extends.unwrap_or_default();
    let (next, verb) = match request.state.known() {
        Some(State::Approved) if emergency::is_alone(request) => (
            "it is yours in an emergency: the people who could have approved it are told"
                .to_owned(),
            "token",
        ),
        _ => (format!("lapses at {lapses}; these may approve it: {approvers}"), "approve"),
    };
    lines.push(format!("{begin}{extends}; {next}"));
    lines.extend(emergency::obstacles(request).iter().map(|line| format!("  {line}")));
    lines.extend(opens::each(request).iter().map(|opens| format!("  opens {opens}")));
    lines.push(format!("  breakglass {verb} {id}"));
    lines.join("\n")
}

/// What to say of the grant: by whom, until when, what was left out, and what was written beside it.
fn approved(request: &Request, grant: &Grant) -> String {
    let mut lines =
        vec![format!("{}; ends at {}", granted::by(grant), instant(&grant.expires_at, now()))];
    let left_out = granted::left_out(request, grant);
    if !left_out.is_empty() {
        lines.push(format!(
            "granted: {}; left out: {}",
            granted::scopes(request, grant).join(", "),
            left_out.join(", ")
        ));
    }
    for approval in &grant.approvals {
        let note = approval.note.as_ref();
        lines.extend(note.map(|note| format!("{} writes: {note}", approval.by)));
    }
    let lines: Vec<String> = lines.iter().map(|line| one_line(line)).collect();
    lines.join("\n")
}
