//! `breakglass revoke`: ends one grant, or all that match, at once. Takes a request's id as well:
//! in a hurry, any id that is at hand should do.

use serde_json::{Value, json};

use super::confirm;
use super::describe::text;
use crate::client::{Client, Failure, segment};
use crate::duration;
use crate::exit::Exit;
use crate::terminal::Terminal;

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

    /// How long to wait at most.
    #[arg(
        long,
        requires = "wait",
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
    let revoked = match &args.target.id {
        Some(id) => one(id, &args.reason, client, terminal)?,
        None => many(args, client, terminal)?,
    };
    if !args.wait {
        return Ok(Exit::Done);
    }
    let epoch = revoked.get("epoch").and_then(Value::as_i64).ok_or_else(|| {
        Failure::Failed("the answer names no epoch to wait for: is it our service?".to_owned())
    })?;
    confirm::wait(client, epoch, duration::from_seconds(args.timeout), terminal)
}

/// Revokes the grant with this id, or that of the request with this id.
fn one(id: &str, reason: &str, client: &Client, terminal: Terminal) -> Result<Value, Failure> {
    let grant = grant(client, segment(id)?)?;
    let revoked = end(client, &grant, reason)?;
    terminal.note(&format!("revoked 1 grant, {grant}, at {}", text(&revoked, "/revoked/at")));
    if revoked.get("had_ended").and_then(Value::as_bool) == Some(true) {
        let end = text(&revoked, "/expires_at");
        terminal.note(&format!("  by the service's clock it had ended at {end}"));
    }
    terminal.result("revoked", &revoked)?;
    Ok(revoked)
}

/// Ends a grant.
pub(super) fn end(client: &Client, grant: &str, reason: &str) -> Result<Value, Failure> {
    client.post(&format!("/v1/grants/{}/revoke", segment(grant)?), &json!({ "reason": reason }))
}

fn many(args: &Args, client: &Client, terminal: Terminal) -> Result<Value, Failure> {
    let Target { id: _, subject, incident, scope, all } = &args.target;
    let mut body = json!({ "reason": args.reason });
    let named = [("subject", subject), ("incident", incident), ("scope", scope)];
    for (name, value) in named {
        if let (Some(value), Some(body)) = (value, body.as_object_mut()) {
            body.insert(name.to_owned(), json!(value));
        }
    }
    if let (true, Some(body)) = (*all, body.as_object_mut()) {
        body.insert("all".to_owned(), json!(true));
    }
    let answer = client.post("/v1/revocations", &body)?;
    let count = |name: &str| answer.get(name).and_then(Value::as_u64).unwrap_or(0);
    let revoked = match count("revoked") {
        0 => "no grant matches: nothing was revoked".to_owned(),
        1 => "revoked 1 grant".to_owned(),
        count => format!("revoked {count} grants"),
    };
    let rest = match count("not_yours") {
        0 => String::new(),
        count => format!("; {count} more match that you may not revoke"),
    };
    terminal.note(&format!("{revoked}{rest}; pending requests are not touched"));
    if count("had_ended") > 0 {
        terminal
            .note(&format!("  {} of them had ended by the service's clock", count("had_ended")));
    }
    for alike in answer.get("look_alikes").and_then(Value::as_array).into_iter().flatten() {
        let count = |name: &str| alike.get(name).and_then(Value::as_u64).unwrap_or(0);
        // In escapes: what looks the same on a terminal is told apart here.
        let name = text(alike, "/name").chars().fold(String::new(), escaped);
        terminal.note(&format!(
            "  looks alike: \"{name}\": {} revoked, {} that you may not revoke",
            count("revoked"),
            count("not_yours")
        ));
    }
    terminal.result(&format!("revoked {}", count("revoked")), &answer)?;
    Ok(answer)
}

fn grant(client: &Client, id: &str) -> Result<String, Failure> {
    if !id.starts_with("req_") {
        return Ok(id.to_owned());
    }
    let view = client.get(&format!("/v1/requests/{id}"))?;
    match text(&view, "/grant/id") {
        "" => Err(Failure::Invalid(format!(
            "{id} is {} and has no grant to revoke",
            text(&view, "/state")
        ))),
        grant => Ok(grant.to_owned()),
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
