//! The session of a person at one service: signed in once, kept in a file, and refreshed by one command line at a time.
//!
//! ```text
//! stored    what the file holds
//! file      where it is, who may read it, and the lock that a change takes
//! exchange  the service's token endpoint: a code or a refresh token for the tokens of a session
//! refresh   an access token that counts, from the file or anew
//! ```

pub(crate) mod exchange;
pub(crate) mod file;
pub(crate) mod refresh;
pub(crate) mod stored;
