//! `breakglass extend`: asks for more time of a grant that one holds, by a request that is linked to it. It takes another
//! approval, and is a grant of its own; the grant of before ends when it would have.

use breakglass_api::request::Ask;

use super::ask::{How, ask};
use super::granted::{granted_duration, scopes as granted_scopes};
use crate::answer::{Asked as _, Request, Whole};
use crate::client::{Client, Failure, segment};
use crate::exit::Exit;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Your request whose grant it goes on with; `breakglass status --mine --state approved` lists them.
    #[arg(value_name = "REQUEST")]
    id: String,

    /// A scope of that grant; can be given more than once. Without it, all of them.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,

    /// Why; the approver and the audit trail see it.
    #[arg(long, value_name = "TEXT")]
    reason: String,

    /// For how long from the approval on, such as `30m` or `1h 30m`; without it, as long as that grant.
    #[arg(long, value_name = "DURATION")]
    duration: Option<String>,

    #[command(flatten)]
    how: How,
}

pub(crate) fn run(args: Args, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    let Args { id, scopes, reason, duration, how } = args;
    let parent: Whole<Request> = client.get(&format!("/v1/requests/{}", segment(&id)?))?;
    parent.body.is(&id)?;
    let parent = &parent.body;
    let Some(grant) = &parent.grant else {
        return Err(Failure::Invalid(format!(
            "{id} is {} and has no grant to go on with: ask with `breakglass request`",
            parent.state.word()
        )));
    };
    let scopes = if scopes.is_empty() { granted_scopes(parent, grant).to_vec() } else { scopes };
    let duration = duration.unwrap_or_else(|| granted_duration(parent, grant).to_owned());
    let incident = parent.incident.clone();
    let emergency = how.emergency;
    let extension = Ask { scopes, reason, incident, duration, emergency, extends: Some(id) };
    ask(&extension, &how, client, terminal)
}
