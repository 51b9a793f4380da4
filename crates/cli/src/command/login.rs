//! `breakglass login`: the person signs in, and the other commands use the session.

use std::time::Duration;

use breakglass_server::duration;
use serde_json::json;

use crate::answer::{Instant, one_line};
use crate::client::{Failure, Settings};
use crate::exit::Exit;
use crate::session::file::SessionFile;
use crate::signin::{self, Asked, How, keep, sign_in};
use crate::terminal::Terminal;

use super::when::{instant, now};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The identity provider, by its name in the service's configuration; without it, the profile's `provider`, or a page lets
    /// you choose.
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,

    /// Sign in by this level, such as `mfa`: what a scope asks for is said where it is missing.
    #[arg(long, value_name = "LEVEL")]
    level: Option<String>,

    /// With `--level`: you have authenticated by it at most so long ago, such as `5m`, or are asked again.
    #[arg(long, requires = "level", value_name = "DURATION", value_parser = duration::parse)]
    max_age: Option<i64>,

    /// Sign in at another device, such as a phone, with a code that is printed here.
    #[arg(long)]
    device: bool,

    /// For how long to wait for you.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration::parse)]
    timeout: i64,
}

pub(crate) fn run(args: &Args, settings: &Settings, terminal: Terminal) -> Result<Exit, Failure> {
    let resolved = settings.resolve()?;
    let connection = &resolved.connection;
    let file = SessionFile::of(connection.url()).ok_or_else(|| {
        Failure::Invalid("set HOME or XDG_STATE_HOME, below which the session is kept".to_owned())
    })?;
    let asked = Asked {
        provider: args.provider.clone().or(resolved.provider),
        level: args.level.clone(),
        max_age_s: args.max_age,
        account: None,
    };
    let timeout = duration::from_seconds(args.timeout).max(Duration::from_secs(1));
    let how = How { browser: !settings.no_browser, device: args.device, timeout };
    let tokens = sign_in(connection, &asked, how, terminal)?;
    let session = keep::keep(connection, &file, &asked, tokens, terminal)?;
    let ends = Instant::parse(&session.ends_at).map(|at| instant(&at, now()));
    terminal.note(&format!(
        "signed in until {}; `breakglass whoami` says what the service knows of you",
        ends.as_ref().unwrap_or(&session.ends_at)
    ));
    let shown = json!({
        "account": session.account, "session": session.session, "session_ends_at": session.ends_at,
    });
    terminal.result(&one_line(&session.account), &shown)?;
    Ok(Exit::Done)
}

// The default above is the limit of a sign-in that a command begins by itself, too.
const _: () = assert!(signin::TIMEOUT.as_secs() == 5 * 60);
