//! What an error of OAuth or OpenID Connect means for the person who signs in, and what to do.

use crate::answer::brief;
use crate::client::Failure;
use crate::exit::Exit;

/// The word where no answer came in time.
const NO_ANSWER: &str = "no_answer";

/// What the service, or the provider behind it, answered.
pub(super) fn refused(error: &str, description: &str) -> Failure {
    let (words, to_do, exit) = match error {
        "access_denied" => (
            "you, the identity provider or the service declined it",
            "sign in as the person who was signed in before, or ask the operator of the service",
            Exit::Deny,
        ),
        "authorization_declined" => (
            "it was declined at the other device or at the identity provider",
            "start again with `breakglass login` if that was not you",
            Exit::Deny,
        ),
        "login_required"
        | "interaction_required"
        | "account_selection_required"
        | "consent_required" => (
            "the identity provider has to ask you first, and did not",
            "sign in at its own pages, and then again with `breakglass login`",
            Exit::Deny,
        ),
        "unmet_authentication_requirements" => (
            "the identity provider did not reach the level of sign-in that was asked for",
            "use your second factor there, or enrol one, and sign in again",
            Exit::Deny,
        ),
        "expired_token" => (
            "the time to enter the code is over",
            "start again with `breakglass login --device`",
            Exit::Fail,
        ),
        "invalid_grant" => (
            "the answer of the browser was not taken",
            "start again with `breakglass login`",
            Exit::Fail,
        ),
        "temporarily_unavailable" | "server_error" => (
            "the service or the identity provider cannot do it now",
            "try again in a minute; if it goes on, tell those who run the service",
            Exit::Fail,
        ),
        "invalid_request"
        | "invalid_client"
        | "invalid_scope"
        | "unauthorized_client"
        | "unsupported_grant_type"
        | "unsupported_response_type" => (
            "the service did not take what was asked",
            "check `--provider`, `--level` and `--max-age`",
            Exit::Invalid,
        ),
        _ => (
            "the service answered with an error that this command line does not know",
            "start again with `breakglass login`; if it goes on, tell those who run the service",
            Exit::Fail,
        ),
    };
    // It is repeated as a reason, which is a word.
    let is_in_word = |character: &char| character.is_ascii_lowercase() || *character == '_';
    let error: String = error.chars().filter(is_in_word).take(64).collect();
    let said = match description {
        "" => String::new(),
        description => format!(" ({})", brief(description.trim_end_matches('.'))),
    };
    Failure::NotSignedIn { error, words: format!("{words}{said}: {to_do}"), exit }
}

/// An answer of another authorization server: an attacker may have mixed the two up.
pub(super) fn other_issuer(issuer: &str) -> Failure {
    let words = format!(
        "the browser brought the answer of another service than {}, which counts for nothing: start again with \
         `breakglass login`",
        brief(issuer)
    );
    Failure::NotSignedIn { error: "other_issuer".to_owned(), words, exit: Exit::Fail }
}

/// Nothing came within this time.
pub(super) fn no_answer(limit: &str, what: &str) -> Failure {
    let words = format!(
        "no answer came within {limit} ({what}): start again with `breakglass login`; `--timeout` waits longer"
    );
    Failure::NotSignedIn { error: NO_ANSWER.to_owned(), words, exit: Exit::Fail }
}

/// Another person came back than the one who was asked.
pub(super) fn other_account(expected: &str, got: &str) -> Failure {
    let words = format!(
        "`{}` signed in where `{}` was asked; that session is ended again, and yours goes on: sign in as that person, or \
         change persons with `breakglass login`",
        brief(got),
        brief(expected)
    );
    Failure::NotSignedIn { error: "access_denied".to_owned(), words, exit: Exit::Deny }
}
