//! The command that asks for what is missing.

use std::borrow::Cow;
use std::time::Duration;

use crate::config::Config;
use crate::decision::Denial;
use crate::instant::format_duration;
use crate::reason::DenyReason;

/// The most scopes that one command asks for.
const MAX_SCOPES: usize = 16;

/// How long a grant is asked for, unless a scope allows less.
const HALF_AN_HOUR: Duration = Duration::from_secs(30 * 60);

/// The command that asks for the scope that covers this request, or for what the grant held that has ended, or
/// was approved by other rules;
/// `None` where asking does not help. A new grant takes the place of the one that is held, so it has all of that
/// one's scopes too.
pub(super) fn command(denial: &Denial, config: &Config) -> Option<String> {
    let claims = denial.token.as_ref()?.claims();
    let asks_again = matches!(
        denial.reason,
        DenyReason::Revoked | DenyReason::TokenExpired | DenyReason::ScopeChanged
    );
    if denial.ask_for.is_none() && !asks_again {
        return None;
    }
    let missing = denial.ask_for.as_deref();
    let mut scopes: Vec<&str> = Vec::new();
    for scope in claims.scope.iter().map(String::as_str).chain(missing) {
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    if scopes.len() > MAX_SCOPES {
        scopes = vec![missing?];
    }
    let limits = scopes.iter().filter_map(|scope| config.scopes.get(scope)?.require.max_lifetime);
    let duration = limits.min().unwrap_or(HALF_AN_HOUR).min(HALF_AN_HOUR);
    let scopes: String = scopes.iter().map(|scope| option("--scope", scope)).collect();
    let incident = claims.breakglass.incident.as_deref();
    let incident = incident.map(|incident| option("--incident", incident)).unwrap_or_default();
    let duration = format_duration(duration);
    Some(format!(
        "breakglass request{scopes} --reason '<why>'{incident} --duration {duration} --wait"
    ))
}

/// An option with its value, which is none of its own though it may look like one.
fn option(name: &str, value: &str) -> String {
    let separator = if value.starts_with('-') { '=' } else { ' ' };
    format!(" {name}{separator}{}", shell_word(value))
}

/// A word for a shell that takes it as it is: quoted unless nothing in it means anything to a shell.
fn shell_word(word: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.,:/@+=".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', "'\\''")))
}
