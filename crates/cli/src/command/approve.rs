//! `breakglass approve`: shows what is asked for, and approves it. What is shown is what is approved: a
//! request cannot change once it is submitted, and an answer that says otherwise is an error.

use std::io::{IsTerminal, stdin};

use breakglass_api::request::Nothing;

use super::describe::request as describe;
use super::when::{instant, now};
use crate::answer::{Asked as _, Mismatch, Request, State, Whole};
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
    let shown: Whole<Request> = client.get(&path)?;
    shown.body.is(&args.id)?;
    terminal.note(&describe(&shown.body, now()));
    if ask && !confirm(terminal) {
        return Err(Failure::Failed("not approved: you did not say yes".to_owned()));
    }
    let approved: Whole<Request> = client.post(&format!("{path}/approve"), &Nothing {})?;
    approved.body.is_now(&args.id, State::Approved)?;
    approved.body.asks_the_same_as(&shown.body)?;
    let Some(grant) = &approved.body.grant else {
        // Cannot be: an approved request without a grant is not read.
        return Err(
            Mismatch { member: "grant", expected: "a grant".into(), got: "none".into() }.into()
        );
    };
    terminal.note(&format!("approved; ends at {}", instant(&grant.expires_at, now())));
    terminal.result(&grant.id, &approved.json)?;
    Ok(Exit::Done)
}

fn confirm(terminal: Terminal) -> bool {
    terminal.ask("approve? [y/N] ");
    let mut answer = String::new();
    let read = stdin().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}
