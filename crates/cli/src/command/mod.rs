//! The verbs of the command line, one file each.

pub(crate) mod approve;
pub(crate) mod audit;
pub(crate) mod cancel;
mod confirm;
pub(crate) mod database;
pub(crate) mod deny;
pub(crate) mod describe;
pub(crate) mod done;
mod expect;
mod interrupt;
pub(crate) mod keygen;
mod opens;
pub(crate) mod probe;
pub(crate) mod proxies;
mod receipt;
pub(crate) mod request;
mod retry;
pub(crate) mod revoke;
pub(crate) mod scopes;
mod scopes_import;
pub(crate) mod serve;
pub(crate) mod status;
mod submit;
pub(crate) mod token;
mod until_answered;
mod when;
