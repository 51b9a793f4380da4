//! `breakglass events replay`: an event is delivered once more.

use breakglass_api::deliveries::Replay;

use crate::answer::{Mismatch, Replayed, Whole, one_line};
use crate::client::{Client, Failure, segment};
use crate::exit::Exit;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The event's id, as `breakglass events list` begins its line with.
    #[arg(value_name = "ID")]
    id: String,

    /// To this sink alone.
    #[arg(long, value_name = "NAME")]
    sink: Option<String>,

    /// To this person alone, where a sink writes to people.
    #[arg(long, value_name = "PERSON")]
    recipient: Option<String>,
}

pub(super) fn run(args: &Args, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    let path = format!("/v1/deliveries/{}/replay", segment(&args.id)?);
    let replay = Replay { sink: args.sink.clone(), recipient: args.recipient.clone() };
    let done: Whole<Replayed> = client.post(&path, &replay)?;
    Mismatch::check("event", &args.id, &done.body.event)?;
    terminal
        .result(&one_line(&format!("queued for {}", done.body.sinks.join(", "))), &done.json)?;
    Ok(Exit::Done)
}
