//! `breakglass revoke`: ends one grant, or all that match, at once. Takes a request's id as well:
//! in a hurry, any id that is at hand should do.

use breakglass_api::request::Why;
use breakglass_api::revocation::Kill;

use super::confirm;
use super::receipt::Awaited;
use super::until_answered::{Attempts, Deadline};
use crate::answer::{Asked as _, Killed, Mismatch, Refusal, Request, Revoked, Whole};
use crate::client::{Client, Failure, segment};
use crate::exit::Exit;
use crate::terminal::Terminal;
use breakglass_server::duration;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,

    /// Why; the audit trail keeps it.
    #[arg(long, value_name = "TEXT")]
    reason: String,

    /// Wait until every proxy that reads the feed has confirmed it.
    #[arg(long)]
    wait: bool,

    /// How long to try until the service has answered, and to wait for the proxies: both together.
    #[arg(
        long,
        default_value = "30s",
        value_name = "DURATION",
        value_parser = duration::parse
    )]
    timeout: i64,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Target {
    /// The grant, or the request that it was approved on.
    #[arg(value_name = "GRANT")]
    id: Option<String>,

    /// All grants of this person.
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,

    /// All grants of this incident that you may revoke.
    #[arg(long, value_name = "ID")]
    incident: Option<String>,

    /// All grants that name this scope and that you may revoke.
    #[arg(long, value_name = "SCOPE")]
    scope: Option<String>,

    /// All grants.
    #[arg(long)]
    all: bool,
}

pub(crate) fn run(args: &Args, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    let deadline = Deadline::after(duration::from_seconds(args.timeout));
    let mut attempts = Attempts::new(deadline, terminal);
    let awaited = match &args.target.id {
        Some(id) => one(id, &args.reason, client, &mut attempts, terminal)?,
        None => many(args, client, &mut attempts, terminal)?,
    };
    if !args.wait {
        return Ok(Exit::Done);
    }
    confirm::wait(client, &awaited, deadline, terminal)
}

/// Revokes the grant with this id, or that of the request with this id.
fn one(
    id: &str,
    reason: &str,
    client: &Client,
    attempts: &mut Attempts,
    terminal: Terminal,
) -> Result<Awaited, Failure> {
    let (grant, holder) = grant(client, segment(id)?, attempts)?;
    let revoked = end(client, &grant, reason, attempts)?;
    let Refusal { by, at, .. } = &revoked.body.revoked;
    let own = holder.is_some_and(|holder| holder == *by);
    let own = if own { ", which its holder gave back" } else { "" };
    terminal.note(&format!("revoked 1 grant, {grant}{own}, at {}", at.text()));
    if revoked.body.had_ended {
        let end = revoked.body.expires_at.text();
        terminal.note(&format!("  by the service's clock it had ended at {end}"));
    }
    terminal.result("revoked", &revoked.json)?;
    Ok(Awaited::one(&revoked.body))
}

/// Ends a grant.
pub(super) fn end(
    client: &Client,
    grant: &str,
    reason: &str,
    attempts: &mut Attempts,
) -> Result<Whole<Revoked>, Failure> {
    let path = format!("/v1/grants/{}/revoke", segment(grant)?);
    let body = Why { reason: reason.to_owned() };
    let revoked: Whole<Revoked> =
        attempts.call(|timeout| client.post_within(&path, &body, None, timeout))?;
    Mismatch::check("grant", grant, &revoked.body.grant)?;
    Ok(revoked)
}

fn many(
    args: &Args,
    client: &Client,
    attempts: &mut Attempts,
    terminal: Terminal,
) -> Result<Awaited, Failure> {
    let Target { id: _, subject, incident, scope, all } = &args.target;
    let body = Kill {
        grant: None,
        subject: subject.clone(),
        incident: incident.clone(),
        scope: scope.clone(),
        all: all.then_some(true),
        reason: args.reason.clone(),
    };
    let answer: Whole<Killed> =
        attempts.call(|timeout| client.post_within("/v1/revocations", &body, None, timeout))?;
    let killed = &answer.body;
    let revoked = match (killed.revoked, attempts.is_uncertain) {
        (0, false) => "no grant matches: nothing was revoked".to_owned(),
        (0, true) => "no grant is left that matches".to_owned(),
        (1, _) => "revoked 1 grant".to_owned(),
        (count, _) => format!("revoked {count} grants"),
    };
    let earlier = match attempts.is_uncertain {
        true => "; an earlier attempt may have revoked others",
        false => "",
    };
    let rest = match killed.not_yours {
        0 => String::new(),
        count => format!("; {count} more match that you may not revoke"),
    };
    terminal.note(&format!("{revoked}{earlier}{rest}; pending requests are not touched"));
    if killed.had_ended > 0 {
        terminal.note(&format!("  {} of them had ended by the service's clock", killed.had_ended));
    }
    for alike in &killed.look_alikes {
        // In escapes: what looks the same on a terminal is told apart here.
        let name = alike.name.chars().fold(String::new(), escaped);
        terminal.note(&format!(
            "  looks alike: \"{name}\": {} revoked, {} that you may not revoke",
            alike.revoked, alike.not_yours
        ));
    }
    terminal.result(&format!("revoked {}", killed.revoked), &answer.json)?;
    Ok(Awaited::many(killed, !attempts.is_uncertain))
}

/// The grant, and its holder where that is known without asking once more.
fn grant(
    client: &Client,
    id: &str,
    attempts: &mut Attempts,
) -> Result<(String, Option<String>), Failure> {
    if !id.starts_with("req_") {
        return Ok((id.to_owned(), None));
    }
    let path = format!("/v1/requests/{id}");
    let request: Whole<Request> = attempts.call(|timeout| client.get_within(&path, timeout))?;
    request.body.is(id)?;
    match request.body.grant {
        Some(grant) => Ok((grant.id, Some(request.body.requester))),
        None => Err(Failure::Invalid(format!(
            "{id} is {} and has no grant to revoke",
            request.body.state.word()
        ))),
    }
}

/// Appends `character`, as `\u{..}` where it is not visible ASCII.
fn escaped(mut name: String, character: char) -> String {
    if character.is_ascii_graphic() || character == ' ' {
        name.push(character);
    } else {
        name.extend(character.escape_unicode());
    }
    name
}
