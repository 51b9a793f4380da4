//! The session at the identity provider that a session here began with, sealed so that the database alone does not tell it.

use breakglass_identity::ProviderSession;

use crate::app::App;

/// Seals it, bound to a session here or to the code that is to make one. Nothing where it is of no use, or cannot be sealed:
/// then the person signs in again when the groups are to be asked for.
pub(in crate::domain) fn seal(
    app: &App,
    bound_to: &str,
    session: &ProviderSession,
) -> Option<Vec<u8>> {
    if !session.can_be_refreshed() {
        return None;
    }
    let plain = serde_json::to_vec(session).ok()?;
    match app.provider_session_key().seal(bound_to, plain, app.randomness()) {
        Ok(sealed) => Some(sealed),
        Err(cause) => {
            tracing::error!(
                %cause,
                "the session at the identity provider is not kept: the person's groups cannot be asked for without another \
                 sign-in"
            );
            None
        }
    }
}

/// Opens it; nothing where that cannot be done.
pub(in crate::domain) fn open(app: &App, bound_to: &str, sealed: &[u8]) -> Option<ProviderSession> {
    match app.provider_session_key().open(bound_to, sealed) {
        Ok(opened) => serde_json::from_slice(&opened?).ok(),
        Err(cause) => {
            tracing::error!(%cause, "sessions at identity providers cannot be opened");
            None
        }
    }
}
