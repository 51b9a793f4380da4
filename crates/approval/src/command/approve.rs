//! `breakglass approve`: shows what is asked, and says yes. What is shown is what is approved: a
//! request cannot change once it is submitted.

use std::io::{IsTerminal, stdin};

use serde_json::json;

use super::describe::{request as describe, text};
use crate::client::{Client, Failure, segment};
use crate::exit::Exit;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The request.
    #[arg(value_name = "REQUEST")]
    id: String,

    /// Do not ask; required where stdin is not a terminal.
    #[arg(long)]
    yes: bool,
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
    let view = client.get(&path)?;
    terminal.note(&describe(&view));
    if ask && !confirm(terminal) {
        return Err(Failure::Failed("not approved: you did not say yes".to_owned()));
    }
    let view = client.post(&format!("{path}/approve"), &json!({}))?;
    terminal.note(&format!("approved; ends at {}", text(&view, "/grant/expires_at")));
    terminal.result(text(&view, "/grant/id"), &view)?;
    Ok(Exit::Done)
}

fn confirm(terminal: Terminal) -> bool {
    terminal.ask("approve? [y/N] ");
    let mut answer = String::new();
    let read = stdin().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}
