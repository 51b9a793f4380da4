//! The challenge of a refusal.

use crate::config::Config;
use crate::decision::Denial;
use crate::reason::DenyReason;

/// The scheme for a header of our own. Not `Bearer`: clients of registries (crane, oras, skopeo) take a
/// `Bearer` challenge for the address of a service that gives tokens, go there, and show no reason.
const OWN_SCHEME: &str = "Breakglass";

/// `WWW-Authenticate` (RFC 6750 section 3, RFC 9470 section 3).
pub(super) fn challenge(denial: &Denial, config: &Config) -> Option<String> {
    let code = denial.reason.code();
    let challenge = match denial.reason {
        DenyReason::TokenMissing => String::new(),
        // No other token would help.
        DenyReason::RouteChanged | DenyReason::MaxStream => return None,
        DenyReason::StepUpRequired => {
            let require = denial.scope.as_ref().and_then(|name| config.scopes.get(name));
            let require = require.map(|scope| &scope.require);
            let acr = require.and_then(|require| require.acr.as_ref()).map(|acr| {
                let plain = |class: &&String| {
                    class.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
                };
                let classes: Vec<&str> = acr.iter().filter(plain).map(String::as_str).collect();
                format!(", acr_values=\"{}\"", classes.join(" "))
            });
            let age = require.and_then(|require| require.max_auth_age);
            let age = age.map(|age| format!(", max_age=\"{}\"", age.as_secs()));
            format!(
                ", error=\"insufficient_user_authentication\", error_description=\"{code}\"{}{}",
                acr.unwrap_or_default(),
                age.unwrap_or_default()
            )
        }
        _ => match denial.reason.status() {
            401 => format!(", error=\"invalid_token\", error_description=\"{code}\""),
            403 => {
                let scope = denial.ask_for.as_ref().map(|scope| format!(", scope=\"{scope}\""));
                format!(
                    ", error=\"insufficient_scope\", error_description=\"{code}\"{}",
                    scope.unwrap_or_default()
                )
            }
            _ => return None,
        },
    };
    Some(format!("{} realm=\"breakglass\"{challenge}", scheme(config)))
}

/// How the token is to be sent: as the source that is configured first takes it. A scheme knows no case
/// (RFC 9110 section 11.1), but some clients know this one as RFC 6750 writes it.
fn scheme(config: &Config) -> &str {
    match config.token_sources.first().and_then(|source| source.scheme.as_deref()) {
        None => OWN_SCHEME,
        Some(scheme) if scheme.eq_ignore_ascii_case("bearer") => "Bearer",
        Some(scheme) => scheme,
    }
}
