//! Signing in: a person at a browser, here or at another device, and the tokens of a new session.
//!
//! ```text
//! asked     what is asked of the person, and where
//! server    what the service says of itself (RFC 8414)
//! code      authorization code with PKCE (RFC 6749, RFC 7636, RFC 8252)
//! loopback  the port at which the browser comes back
//! browser   how a browser is opened
//! device    the device grant (RFC 8628)
//! words     what an error means, and what to do
//! keep      the new session into the place of the one before
//! ```

mod asked;
mod browser;
mod code;
mod device;
pub(crate) mod keep;
mod loopback;
mod server;
mod words;

use breakglass_api::session::SessionTokens;

use crate::client::{Connection, Failure};
use crate::terminal::Terminal;

pub(crate) use asked::{Asked, How, TIMEOUT};
pub(crate) use browser::open;

/// Has the person sign in.
///
/// # Errors
/// [`Failure`] says why there is no session: in the provider's words, or because no answer came in time.
pub(crate) fn sign_in(
    connection: &Connection,
    asked: &Asked,
    how: How,
    terminal: Terminal,
) -> Result<SessionTokens, Failure> {
    let server = server::read(connection)?;
    match how.device {
        true => device::sign_in(connection, &server, asked, how, terminal),
        false => code::sign_in(connection, &server, asked, how, terminal),
    }
}
