//! `breakglass whoami`: the person as the service knows them.

use breakglass_api::whoami::SetNotify;
use breakglass_server::clock::Moment;

use super::when::{instant, now};
use crate::answer::{GroupsKnown, Mismatch, Notify, WhoAmI, Whole, one_line};
use crate::client::{Client, Failure};
use crate::exit::Exit;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// From now on be told by mail of requests that wait for you and of what becomes of yours, or not.
    #[arg(long, value_name = "HOW")]
    notify: Option<How>,
}

/// How to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum How {
    /// By mail, where the service knows your address.
    Mail,
    /// Not at all.
    None,
}

pub(crate) fn run(args: &Args, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    if let Some(how) = args.notify {
        let mail = how == How::Mail;
        let set: Whole<Notify> = client.put("/v1/whoami/notify", &SetNotify { mail })?;
        Mismatch::check("mail", &mail.to_string(), &set.body.mail.to_string())?;
    }
    let answer: Whole<WhoAmI> = client.get("/v1/whoami")?;
    terminal.result(&describe(&answer.body, now()), &answer.json)?;
    Ok(Exit::Done)
}

/// A line for each thing.
fn describe(who: &WhoAmI, now: Option<Moment>) -> String {
    let mut lines = Vec::new();
    let mut add = |label: &str, value: &str| {
        if !value.is_empty() {
            lines.push(format!("{label:<10}{}", one_line(value)));
        }
    };
    add("name", &who.name);
    add("shown as", who.shown_name.as_deref().unwrap_or_default());
    add("mail", who.mail.as_deref().unwrap_or_default());
    add("provider", who.provider.as_deref().unwrap_or("none: known by an API token"));
    add("groups", &groups(who, now));
    add("approver", if who.may_approve { "where a scope names you" } else { "no" });
    if let Some(notify) = &who.notify {
        add("notify", &told_by(notify));
    }
    if let Some(session) = &who.session {
        let ends = instant(&session.ends_at, now);
        add("session", &format!("{}, ends at {ends} at the latest", session.id));
    }
    if let Some(factor) = &who.factor {
        let amr = factor.amr.join(" ");
        let amr = if amr.is_empty() { amr } else { format!(" ({amr})") };
        let at = instant(&factor.auth_time, now);
        add("level", &format!("{}{amr}, authenticated at {at}", factor.level));
    }
    lines.join("\n")
}

/// How the person is told of what concerns them.
fn told_by(notify: &Notify) -> String {
    match (notify.mail, &notify.address) {
        (true, Some(address)) => format!("by mail to {address}, where the service sends it"),
        (true, None) => "by mail, but the service knows no verified address of yours".to_owned(),
        (false, _) => "none".to_owned(),
    }
}

fn groups(who: &WhoAmI, now: Option<Moment>) -> String {
    let groups = &who.groups;
    let said = groups.since.as_ref().map(|at| format!("as said at {}", instant(at, now)));
    let names = groups.names.join(", ");
    let words = match groups.state.known() {
        Some(GroupsKnown::Known) => names,
        Some(GroupsKnown::None) => "none".to_owned(),
        _ => {
            let reason = groups.reason.as_deref().unwrap_or_default();
            let names = if names.is_empty() { names } else { format!("; they were: {names}") };
            format!("not known: {reason}{names}")
        }
    };
    [Some(words), said].into_iter().flatten().collect::<Vec<_>>().join(", ")
}
