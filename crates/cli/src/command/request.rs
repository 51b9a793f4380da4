//! `breakglass request`: asks for access.

use breakglass_api::request::Ask;

use super::ask::{How, ask};
use crate::client::{Client, Failure};
use crate::exit::Exit;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A scope to ask for; can be given more than once. `breakglass scopes` lists them.
    #[arg(long = "scope", required = true, value_name = "SCOPE")]
    scopes: Vec<String>,

    /// Why; the approver and the audit trail see it.
    #[arg(long, value_name = "TEXT")]
    reason: String,

    /// The incident or ticket.
    #[arg(long, value_name = "ID")]
    incident: Option<String>,

    /// For how long from the approval on, such as `30m` or `1h 30m`.
    #[arg(long, default_value = "30m", value_name = "DURATION")]
    duration: String,

    #[command(flatten)]
    how: How,
}

pub(crate) fn run(args: Args, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    let Args { scopes, reason, incident, duration, how } = args;
    let emergency = how.emergency;
    let submitted = Ask { scopes, reason, incident, duration, emergency, extends: None };
    ask(&submitted, &how, client, terminal)
}
