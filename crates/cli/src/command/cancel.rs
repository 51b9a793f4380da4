//! `breakglass cancel`: takes back one's own pending request.

use breakglass_api::request::Nothing;

use crate::answer::{Asked as _, Request, State, Whole};
use crate::client::{Client, Failure, segment};
use crate::exit::Exit;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The request's id; `breakglass status` lists them.
    #[arg(value_name = "REQUEST")]
    id: String,
}

pub(crate) fn run(args: &Args, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    let path = format!("/v1/requests/{}/cancel", segment(&args.id)?);
    let cancelled: Whole<Request> = client.post(&path, &Nothing {})?;
    cancelled.body.is_now(&args.id, State::Cancelled)?;
    terminal.note(&format!("took back {}", args.id));
    terminal.result(cancelled.body.state.word(), &cancelled.json)?;
    Ok(Exit::Done)
}
