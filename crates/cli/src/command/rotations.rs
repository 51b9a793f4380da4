//! `breakglass rotations`: what used grants touched, and whether it was rotated after their end.

use breakglass_api::rotations::RotationDone;

use crate::answer::{Mismatch, Rotation, RotationState, Rotations, Whole, one_line};
use crate::client::{Client, Failure, query_value, segment};
use crate::exit::Exit;
use crate::terminal::Terminal;

const PATH: &str = "/v1/rotations";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List the rotations that you may see, the newest first.
    #[command(after_help = crate::exit::HELP)]
    List {
        /// Those in this state.
        #[arg(long, value_name = "STATE", value_parser = ["owed", "failed", "done", "waiting"])]
        state: Option<String>,

        /// Where the list before ended, as it said.
        #[arg(long, value_name = "ID")]
        after: Option<String>,
    },
    /// Say that it was rotated by hand: for those who may approve one of its scopes and did not hold the grant.
    #[command(after_help = crate::exit::HELP)]
    Done {
        /// The rotation's id, as `breakglass rotations list` begins its line with.
        #[arg(value_name = "ID")]
        id: String,

        /// How it was rotated, for auditors.
        #[arg(long, value_name = "TEXT")]
        note: String,
    },
    /// Have the hook called again, at once: for the same people.
    #[command(after_help = crate::exit::HELP)]
    Retry {
        /// The rotation's id, as `breakglass rotations list` begins its line with.
        #[arg(value_name = "ID")]
        id: String,
    },
}

pub(crate) fn run(args: &Args, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    match &args.verb {
        Verb::List { state, after } => list(state.as_deref(), after.as_deref(), client, terminal),
        Verb::Done { id, note } => {
            let body = RotationDone { note: note.clone() };
            let done: Whole<Rotation> =
                client.post(&format!("{PATH}/{}/done", segment(id)?), &body)?;
            is(id, RotationState::Done, "rotated", &done, terminal)
        }
        Verb::Retry { id } => {
            let nothing = serde_json::json!({});
            let tried: Whole<Rotation> =
                client.post(&format!("{PATH}/{}/retry", segment(id)?), &nothing)?;
            is(id, RotationState::Owed, "called again", &tried, terminal)
        }
    }
}

fn list(
    state: Option<&str>,
    after: Option<&str>,
    client: &Client,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    let mut query = Vec::new();
    query.extend(state.map(|state| format!("state={state}")));
    query.extend(after.map(|after| format!("after={}", query_value(after))));
    let mark = if query.is_empty() { "" } else { "?" };
    let listed: Whole<Rotations> = client.get(&format!("{PATH}{mark}{}", query.join("&")))?;
    let lines: Vec<String> = listed.body.rotations.iter().map(line).collect();
    if lines.is_empty() {
        terminal.note("no rotations");
        if !terminal.json {
            return Ok(Exit::Done);
        }
    }
    terminal.result(&lines.join("\n"), &listed.json)?;
    if let Some(next) = &listed.body.next {
        let next = one_line(next);
        terminal.note(&format!("there are more: the same with `--after {next}` lists them"));
    }
    Ok(Exit::Done)
}

/// Checks that the answer is of this rotation, in this state, and says so.
fn is(
    id: &str,
    state: RotationState,
    words: &str,
    answer: &Whole<Rotation>,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    Mismatch::check("id", id, &answer.body.id)?;
    Mismatch::check("state", state.word(), answer.body.state.word())?;
    if !answer.body.configured && state == RotationState::Owed {
        let hook = one_line(&answer.body.hook);
        terminal.note(&format!(
            "the service's configuration has no hook `{hook}`, so that no call is made: add it, or rotate by hand and say so \
             with `breakglass rotations done {id} --note '..'`"
        ));
    }
    terminal.result(words, &answer.json)?;
    Ok(Exit::Done)
}

/// A rotation on one line, which begins with its id and its state.
fn line(one: &Rotation) -> String {
    let mut parts = vec![
        one.id.clone(),
        format!("{:<7}", one.state.word()),
        one.hook.clone(),
        one.scopes.join(", "),
        one.grant.clone(),
    ];
    parts.extend(one.owed_at.as_ref().map(|at| format!("owed since {}", at.text())));
    if !one.configured {
        parts.push("the hook is not in the configuration".to_owned());
    }
    if one.attempts > 1 {
        parts.push(format!("{} calls", one.attempts));
    }
    if let (Some(by), Some(at)) = (&one.done_by, &one.done_at) {
        parts.push(format!("done at {} by {by}", at.text()));
    }
    parts.extend(one.note.clone());
    parts.extend(one.last_outcome.clone());
    one_line(&parts.join("  "))
}
