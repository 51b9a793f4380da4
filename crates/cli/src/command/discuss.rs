//! `breakglass question` and `breakglass answer`: an approver asks the requester of a pending request something, and the
//! requester answers. The request waits as it did.

use breakglass_api::request::Say;

use crate::answer::{Asked as _, Mismatch, RemarkKind, Request, State, Whole, one_line};
use crate::client::{Client, Failure, segment};
use crate::exit::Exit;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The request's id; `breakglass status` lists them.
    #[arg(value_name = "REQUEST")]
    id: String,

    /// What to say: one line. Who sees the request and the audit trail see it.
    #[arg(value_name = "TEXT")]
    text: String,
}

pub(crate) fn question(args: Args, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    let (id, asked) = say(args, RemarkKind::Question, client)?;
    let requester = one_line(&asked.body.requester);
    terminal.note(&format!(
        "asked {requester}, who reads it where `breakglass request --wait` waits, or by `breakglass status {id}`; the \
         answer is there too"
    ));
    terminal.result("asked", &asked.json)?;
    Ok(Exit::Done)
}

pub(crate) fn answer(args: Args, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    let (id, answered) = say(args, RemarkKind::Answer, client)?;
    terminal.note(&format!("answered; {id} waits for the decision"));
    terminal.result("answered", &answered.json)?;
    Ok(Exit::Done)
}

/// Says it, and checks that the request has it.
fn say(
    Args { id, text }: Args,
    kind: RemarkKind,
    client: &Client,
) -> Result<(String, Whole<Request>), Failure> {
    let path = format!("/v1/requests/{}/{}", segment(&id)?, kind.word());
    let said: Whole<Request> = client.post(&path, &Say { text: text.clone() })?;
    said.body.is_now(&id, State::Pending)?;
    let mut remarks = said.body.discussion.iter();
    if !remarks.any(|remark| remark.kind == kind && remark.text == text) {
        let got = "a request without it".to_owned();
        return Err(Mismatch { member: "discussion", expected: kind.word().to_owned(), got }.into());
    }
    Ok((id, said))
}
