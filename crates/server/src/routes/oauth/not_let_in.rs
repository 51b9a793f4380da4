//! A person signed in at the provider, and is not let in here.

use axum::response::Response;

use super::provider::Wrong;
use crate::auth::identity::RefusedCaller;
use crate::domain::sessions::{self, SignInRefused};
use crate::evidence::CallerKind;
use crate::problem::{Problem, Reason};

/// What to say to a person who signed in there, and is not let in here.
pub(super) fn not_let_in(who: &sessions::SignedIn, why: SignInRefused) -> Wrong {
    let description = why.to_string();
    let is_too_often = matches!(why, SignInRefused::TooOften { .. });
    if let SignInRefused::Store(error) = why {
        let reason = Problem::from(error).reason();
        return ("temporarily_unavailable", reason.title().to_owned());
    }
    tracing::warn!(
        account = who.name(),
        source = who.source,
        cause = description,
        "sign-in refused"
    );
    match is_too_often {
        true => ("temporarily_unavailable", description),
        false => ("access_denied", description),
    }
}

/// This answer, noted as the refusal of a known caller where it is one.
pub(super) fn noted(who: &sessions::SignedIn, error: &str, mut response: Response) -> Response {
    if error == "access_denied" {
        response.extensions_mut().insert(Reason::SignInRefused);
        response.extensions_mut().insert(RefusedCaller((CallerKind::Person, who.name())));
    }
    response
}
