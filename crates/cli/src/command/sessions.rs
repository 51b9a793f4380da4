//! `breakglass sessions`: where a person is signed in; one is ended by its owner or an administrator.

use breakglass_server::clock::{Moment, meant};

use super::when::{now, relative};
use crate::answer::{Mismatch, Session, SessionState, Sessions, Whole, one_line};
use crate::client::{Client, Failure, query_value, segment};
use crate::exit::Exit;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// List those of all people: for administrators.
    #[arg(long)]
    all: bool,

    /// Where the list before ended, as it said.
    #[arg(long, value_name = "ID")]
    after: Option<String>,

    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// End a session: one of yours, or for administrators any.
    End {
        /// The session's id, as `breakglass sessions` lists it.
        #[arg(value_name = "ID")]
        id: String,
    },
}

pub(crate) fn run(args: &Args, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    match &args.verb {
        Some(Verb::End { .. }) if args.all || args.after.is_some() => Err(Failure::Invalid(
            "`--all` and `--after` are for the list of sessions, not for `end`".to_owned(),
        )),
        Some(Verb::End { id }) => end(id, client, terminal),
        None => list(args, client, terminal),
    }
}

fn list(args: &Args, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    let mut query = Vec::new();
    query.extend(args.all.then(|| "all=true".to_owned()));
    query.extend(args.after.as_ref().map(|after| format!("after={}", query_value(after))));
    let mark = if query.is_empty() { "" } else { "?" };
    let path = format!("/v1/sessions{mark}{}", query.join("&"));
    let listed: Whole<Sessions> = client.get(&path)?;
    let now = now();
    let lines: Vec<String> =
        listed.body.sessions.iter().map(|session| line(session, now)).collect();
    if lines.is_empty() {
        terminal.note("no sessions");
        if !terminal.json {
            return Ok(Exit::Done);
        }
    }
    terminal.result(&lines.join("\n"), &listed.json)?;
    if let Some(next) = &listed.body.next {
        let all = if args.all { " --all" } else { "" };
        terminal.note(&format!(
            "there are more: `breakglass sessions{all} --after {}` lists them",
            one_line(next)
        ));
    }
    Ok(Exit::Done)
}

fn end(id: &str, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    let path = format!("/v1/sessions/{}/end", segment(id)?);
    let ended: Whole<Session> = client.post(&path, &serde_json::json!({}))?;
    Mismatch::check("id", id, &ended.body.id)?;
    let state = ended.body.state.word();
    if ended.body.state.known() == Some(SessionState::Live) {
        return Err(Mismatch {
            member: "state",
            expected: "ended".to_owned(),
            got: state.to_owned(),
        }
        .into());
    }
    terminal.note(&format!("the session of {} is {state}", one_line(&ended.body.account)));
    terminal.result("ended", &ended.json)?;
    Ok(Exit::Done)
}

/// A session on one line, which begins with its id and its state.
fn line(session: &Session, now: Option<Moment>) -> String {
    let mut parts = vec![
        session.id.clone(),
        format!("{:<5}", session.state.word()),
        session.account.clone(),
        format!("since {}", session.began_at.text()),
    ];
    if let Some(now) = now {
        parts.push(format!("used {}", relative(now, meant(&session.used_at))));
    }
    parts.extend(session.source.as_ref().map(|source| format!("from {source}")));
    parts.extend(session.level.as_ref().map(|level| format!("level {level}")));
    if let Some(at) = &session.ended_at {
        let by = session.ended_by.as_deref().unwrap_or("the service");
        let why = session.end_reason.as_deref().unwrap_or("no reason");
        parts.push(format!("ended at {} by {by} ({why})", at.text()));
    }
    parts.extend(session.current.then(|| "this one".to_owned()));
    one_line(&parts.join("  "))
}
