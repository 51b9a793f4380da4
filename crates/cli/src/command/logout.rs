//! `breakglass logout`: the session ends at the service and on this machine, and the person goes to the identity provider's
//! page for signing out there.

use serde_json::json;

use crate::client::{Failure, Settings};
use crate::exit::Exit;
use crate::session::exchange::CLIENT_ID;
use crate::session::file::SessionFile;
use crate::signin;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Remove the session from this machine alone, where the service cannot be reached: there it goes on until its end.
    #[arg(long)]
    local: bool,
}

pub(crate) fn run(args: &Args, settings: &Settings, terminal: Terminal) -> Result<Exit, Failure> {
    let resolved = settings.resolve()?;
    let connection = &resolved.connection;
    let url = connection.url();
    let none = || {
        terminal.note(&format!("you are not signed in at {url}"));
        terminal.result("signed out", &json!({ "session": null })).map(|()| Exit::Done)
    };
    let Some(file) = SessionFile::of(url) else { return none() };
    let session = match (file.read_to_end_it(), args.local) {
        (Ok(Some(session)), _) => session,
        (Ok(None), _) => return none(),
        (Err(_), true) => {
            file.lock()?.remove()?;
            return none();
        }
        (Err(failure), false) => return Err(failure),
    };
    if !args.local {
        // One that is over there already is as good, and its access token may be over as well.
        connection.revoke(&session.refresh_token, CLIENT_ID).inspect_err(|_| {
            terminal.note(&format!(
                "the session goes on at the service until {}: try again, or remove it from this machine alone with \
                 `breakglass logout --local`",
                session.ends_at
            ));
        })?;
    }
    file.lock()?.remove()?;
    if let Some(provider) = session.provider().filter(|_| !args.local) {
        let page = format!("{url}/signin/{provider}/logout");
        let opened = !settings.no_browser && signin::open(&page);
        let where_to = if opened { "a browser opens the page" } else { "the page for it is" };
        terminal.note(&format!(
            "you may still be signed in at the identity provider `{provider}`: {where_to}\n\n  {page}\n"
        ));
    }
    terminal.result("signed out", &json!({ "session": session.session }))?;
    Ok(Exit::Done)
}
