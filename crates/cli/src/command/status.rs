//! `breakglass status`: one request in full, or a line for each that the caller may see.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::describe::{line, request as describe};
use super::when::now;
use crate::answer::{Asked as _, Request, Requests, State, Whole, Word};
use crate::client::{Client, Failure, query_value, segment};
use crate::exit::Exit;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The request's id; without it, a list, the newest first.
    #[arg(value_name = "REQUEST")]
    id: Option<String>,

    /// List only those in this state; `approved` lists every grant that holds, the active ones too.
    #[arg(long, conflicts_with = "id", value_name = "STATE", value_parser = [
        "active", "approved", "cancelled", "denied", "expired", "lapsed", "pending", "revoked",
    ])]
    state: Option<String>,

    /// List only your own.
    #[arg(long, conflicts_with = "id")]
    mine: bool,

    /// List all of them, not only the newest.
    #[arg(long, conflicts_with = "id")]
    all: bool,
}

pub(crate) fn run(args: &Args, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    let now = now();
    if let Some(id) = &args.id {
        let shown: Whole<Request> = client.get(&format!("/v1/requests/{}", segment(id)?))?;
        shown.body.is(id)?;
        terminal.result(&describe(&shown.body, now), &shown.json)?;
        return Ok(Exit::Done);
    }
    let listed = list(args, client)?;
    let lines: Vec<String> =
        listed.body.requests.iter().map(|request| line(request, now)).collect();
    if lines.is_empty() {
        terminal.note("no requests");
        if !terminal.json {
            return Ok(Exit::Done);
        }
    }
    terminal.result(&lines.join("\n"), &listed.json)?;
    if listed.body.next.is_some() {
        terminal.note("there are more: `breakglass status --all` lists them too");
    }
    Ok(Exit::Done)
}

/// The first page, or with `--all` every page as one list.
fn list(args: &Args, client: &Client) -> Result<Whole<Requests>, Failure> {
    let mut query = Vec::new();
    query.extend(args.state.as_ref().map(|state| format!("state={state}")));
    query.extend(args.mine.then(|| "mine=true".to_owned()));
    let ask = |after: Option<&str>| -> Result<Whole<Requests>, Failure> {
        let mut query = query.clone();
        query.extend(after.map(|after| format!("after={}", query_value(after))));
        let query = query.join("&");
        let mark = if query.is_empty() { "" } else { "?" };
        let listed: Whole<Requests> = client.get(&format!("/v1/requests{mark}{query}"))?;
        match &args.state {
            Some(state) => in_state(listed, state),
            None => Ok(listed),
        }
    };
    let mut listed = ask(None)?;
    let mut cursors = BTreeSet::new();
    while args.all
        && let Some(next) = listed.body.next.take()
    {
        let page = ask(Some(&next))?;
        // A list that never ends is none.
        if page.body.requests.is_empty() && page.body.next.is_some() || !cursors.insert(next) {
            return Err(Failure::Failed(
                "the pages of the list do not end: is `--url` the approval service's?".to_owned(),
            ));
        }
        append(&mut listed, page);
    }
    Ok(listed)
}

fn append(listed: &mut Whole<Requests>, mut page: Whole<Requests>) {
    listed.body.requests.append(&mut page.body.requests);
    listed.body.next = page.body.next;
    let more = page.json.get_mut("requests").map(Value::take);
    if let (Some(Value::Array(all)), Some(Value::Array(mut more))) =
        (listed.json.get_mut("requests"), more)
    {
        all.append(&mut more);
    }
    if let Some(next) = listed.json.get_mut("next") {
        *next = json!(listed.body.next);
    }
}

/// Checks that each is in the state that was asked for: a list of pending requests is what people decide on. A list of
/// those that are approved has every grant that holds.
fn in_state(listed: Whole<Requests>, state: &str) -> Result<Whole<Requests>, Failure> {
    for request in &listed.body.requests {
        if state == State::Approved.word() {
            request.is_granted(&request.id)?;
        } else {
            request.is_now(&request.id, Word::<State>::read(state.to_owned()))?;
        }
    }
    Ok(listed)
}
