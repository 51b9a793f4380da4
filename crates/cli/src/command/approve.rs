//! `breakglass approve`: shows what is asked for, and approves it, or less of it. What is shown is what is approved: the
//! approval names the digest of it, and where the request is another one it is shown again. An answer about something
//! else, or with more than was granted, is an error.

use std::io::{IsTerminal, stdin};

use breakglass_api::Reason;
use breakglass_api::request::Approve;
use serde_json::Value;

use super::describe::request as describe;
use super::granted;
use super::narrowing::Narrowing;
use super::needs;
use super::old_groups;
use super::when::{instant, now};
use crate::answer::{Answer as _, Asked as _, Grant, Request, State, Whole, one_line};
use crate::client::{Client, Failure, segment};
use crate::exit::Exit;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The request's id; `breakglass status` lists them.
    #[arg(value_name = "REQUEST")]
    id: String,

    /// Do not ask; required where stdin is not a terminal.
    #[arg(long)]
    yes: bool,

    /// Approve the request with this digest and no other: what `breakglass status REQUEST --json` had when it was read.
    #[arg(long, value_name = "DIGEST")]
    digest: Option<String>,

    #[command(flatten)]
    narrowing: Narrowing,

    /// What the requester and the audit trail should read beside it.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

pub(crate) fn run(args: &Args, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    let path = format!("/v1/requests/{}", segment(&args.id)?);
    // A pipe answers nothing: without a person to ask, the command line has to say yes.
    let ask = !args.yes;
    if ask && !stdin().is_terminal() {
        return Err(Failure::Invalid(format!(
            "not approved: stdin is not a terminal, so the question cannot be asked; read `breakglass status \
             {id}`, then run `breakglass approve {id} --yes`",
            id = args.id
        )));
    }
    let mut shown: Whole<Request> = client.get(&path)?;
    let approved: Whole<Request> = loop {
        shown.body.is(&args.id)?;
        args.narrowing.check(&shown.body)?;
        terminal.note(&what(args, &shown.body));
        if ask && !confirm(terminal) {
            return Err(Failure::Failed("not approved: you did not say yes".to_owned()));
        }
        // An older service has no digests, and asks for none.
        let digest = args.digest.clone().or_else(|| shown.body.digest.clone());
        let approval = Approve {
            digest,
            scopes: args.narrowing.scopes(),
            duration: args.narrowing.duration(),
            note: args.note.clone(),
        };
        match client.post(&format!("{path}/approve"), &approval) {
            Ok(approved) => break approved,
            // Where a person is not asked, or has said which one it is, another one was not read.
            Err(failure) if ask && args.digest.is_none() => {
                let Some(request) = as_it_is(&failure) else { return Err(failure) };
                terminal.note(&format!("not approved: {failure}\n"));
                shown = request;
            }
            Err(failure) => return Err(failure),
        }
    };
    approved.body.asks_the_same_as(&shown.body)?;
    if approved.body.state == State::Pending {
        approved.body.is_approved_once_more(&args.id, &shown.body)?;
        old_groups::note(&approved.body.old_groups, terminal);
        terminal.note(&partly(&approved.body));
        // There is no grant whose id could be printed.
        if terminal.json {
            terminal.result("", &approved.json)?;
        }
        return Ok(Exit::Done);
    }
    let grant = approved.body.is_granted(&args.id)?;
    args.narrowing.check_granted(&shown.body, grant)?;
    old_groups::note(&approved.body.old_groups, terminal);
    terminal.note(&done(args, &approved.body, grant));
    terminal.result(&grant.id, &approved.json)?;
    Ok(Exit::Done)
}

/// What is asked for, and what of it will be granted.
fn what(args: &Args, request: &Request) -> String {
    let mut lines = vec![describe(request, now())];
    lines.extend(args.narrowing.lines(request));
    lines.extend(args.note.as_ref().map(|note| one_line(&format!("note      {note}"))));
    lines.join("\n")
}

/// Who else has to approve it.
fn partly(request: &Request) -> String {
    let mut lines =
        vec!["approved by you; there is no grant before others have approved it too:".to_owned()];
    lines.extend(needs::lines(request, now()).iter().map(|line| format!("  {line}")));
    let open = request.approvers.as_deref().unwrap_or_default();
    if !open.is_empty() {
        lines.push(one_line(&format!("  whose approval counts now: {}", open.join(", "))));
    }
    lines.join("\n")
}

/// What was granted, and what was left out.
fn done(args: &Args, request: &Request, grant: &Grant) -> String {
    let mut lines = vec![format!("approved; ends at {}", instant(&grant.expires_at, now()))];
    lines.extend(args.narrowing.lines(request).iter().map(|line| format!("  {line}")));
    if let Some(at) = granted::take_by(request, grant) {
        let (requester, at) = (one_line(&request.requester), instant(at, now()));
        lines.push(format!("  {requester} has to take the token by {at}"));
    }
    lines.join("\n")
}

/// The request, where the approval was refused because it is another one than was shown.
fn as_it_is(failure: &Failure) -> Option<Whole<Request>> {
    let Failure::Refused { problem, .. } = failure else { return None };
    let reason = problem.get("reason").and_then(Value::as_str)?;
    if ![Reason::DigestRequired.word(), Reason::RequestChanged.word()].contains(&reason) {
        return None;
    }
    Whole::read(problem.get("request")?.clone()).ok()
}

fn confirm(terminal: Terminal) -> bool {
    terminal.ask("approve? [y/N] ");
    let mut answer = String::new();
    let read = stdin().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}
