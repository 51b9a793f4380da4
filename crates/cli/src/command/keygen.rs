//! `breakglass keygen`: makes credentials, signing keys and certificates, on this machine, without the service.

mod authority;
mod certificates;

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::client::Failure;
use crate::exit::Exit;
use crate::terminal::Terminal;
use breakglass_server::auth::identity::digest;
use breakglass_server::clock::{Clock, SystemClock};
use breakglass_server::issuer::KeyDirectory;
use breakglass_server::memory_guard::forbid_dumps;
use breakglass_server::random::Randomness;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// A new API token, and its digest for the service's configuration.
    ApiToken {
        /// Write the token to this new file instead of printing it: mode 0600, without a line end, as a Kubernetes
        /// Secret or a proxy's environment takes it.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// A new signing key. A service that uses the directory signs with it within a second; the
    /// keys before it stay published until the longest grant that they signed is over.
    Signing {
        /// The service's `key_directory`.
        #[arg(long, value_name = "DIR")]
        key_dir: PathBuf,
        /// The service's `signing_keys.wrapped_by`: the file with the key that wraps the new one.
        #[arg(long, value_name = "FILE")]
        wrapped_by: Option<PathBuf>,
    },
    /// A certificate authority, and certificates of the service and of proxies that it has signed: for trying out and
    /// for small set-ups. A company uses the authority that it has.
    Certificates(certificates::Args),
}

pub(crate) fn run(args: &Args, terminal: Terminal) -> Result<Exit, Failure> {
    forbid_dumps();
    let failed = |error: &dyn std::fmt::Display| Failure::Failed(error.to_string());
    let randomness = Randomness::from_system().map_err(|error| failed(&error))?;
    match &args.what {
        What::ApiToken { out } => {
            let token = randomness.api_token();
            let sha256: String = breakglass_types::hex::lower(&digest(&token));
            if let Some(path) = out {
                write_token(path, &token)
                    .map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?;
                terminal.note(
                    "the token is in the file, for its holder alone; the digest is for the \
                     service's configuration",
                );
                terminal.result(
                    &format!("token_sha256  {sha256}"),
                    &json!({ "file": path.display().to_string(), "token_sha256": sha256 }),
                )?;
                return Ok(Exit::Done);
            }
            terminal.note(
                "the token is for its holder alone and is shown once; the digest is for the \
                 service's configuration",
            );
            terminal.result(
                &format!("token         {token}\ntoken_sha256  {sha256}"),
                &json!({ "token": token, "token_sha256": sha256 }),
            )?;
        }
        What::Signing { key_dir, wrapped_by } => {
            let now = SystemClock.now().map_err(|error| failed(&error))?;
            let keys = KeyDirectory::new(key_dir).wrapped_by(wrapped_by.as_deref());
            let kid = keys.add(now, &randomness).map_err(|error| failed(&error))?;
            terminal.note("made a signing key; it signs from now on");
            terminal.result(&kid, &json!({ "kid": kid }))?;
        }
        What::Certificates(args) => {
            let now = SystemClock.now().map_err(|error| failed(&error))?;
            certificates::run(args, now, &randomness, terminal)?;
        }
    }
    Ok(Exit::Done)
}

/// A file that is there is another token's: it is never written over.
fn write_token(path: &Path, token: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(token.as_bytes())?;
    file.sync_all()
}
