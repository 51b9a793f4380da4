//! `breakglass logout`: the session ends at the service and on this machine, and the person goes to the identity provider's
//! page for signing out there.

use serde_json::json;

use crate::client::{Connection, Failure, Settings};
use crate::exit::Exit;
use crate::session::file::SessionFile;
use crate::session::refresh::{NoSession, fresh};
use crate::session::stored::StoredSession;
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
        end(connection, &file, &session).inspect_err(|_| {
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

/// Ends it at the service. One that is over there already is as good.
fn end(
    connection: &Connection,
    file: &SessionFile,
    session: &StoredSession,
) -> Result<(), Failure> {
    let bearer = match session.counts() {
        true => session.access_token.clone(),
        // The file is read again by it: others must not have been able to read it.
        false => match fresh(connection, file) {
            Ok(session) => session.access_token,
            Err(NoSession::Ended(_) | NoSession::Missing) => return Ok(()),
            Err(NoSession::Failed(failure)) => return Err(failure),
        },
    };
    match connection.revoke(&session.refresh_token, &bearer) {
        Err(Failure::Refused { status: 401, .. }) => Ok(()),
        other => other,
    }
}
