//! `breakglass deny`: denies a request, with a reason.

use breakglass_api::request::Why;

use crate::answer::{Asked as _, Request, State, Whole, one_line};
use crate::client::{Client, Failure, segment};
use crate::exit::Exit;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The request's id; `breakglass status` lists them.
    #[arg(value_name = "REQUEST")]
    id: String,

    /// Why; the requester and the audit trail see it.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(crate) fn run(args: &Args, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    let path = format!("/v1/requests/{}/deny", segment(&args.id)?);
    let denied: Whole<Request> = client.post(&path, &Why { reason: args.reason.clone() })?;
    denied.body.is_now(&args.id, State::Denied)?;
    terminal.note(&format!("denied {} of {}", args.id, one_line(&denied.body.requester)));
    terminal.result(denied.body.state.word(), &denied.json)?;
    Ok(Exit::Done)
}
