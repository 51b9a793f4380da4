//! A level of sign-in at a provider: what is asked, and which answer counts.

use breakglass_config_schema::{
    Object, Place, Reader, list, object, optional, or_none, parsed, required,
};

use super::read::{distinct, scope};

object! {
    /// A level of sign-in. `max_age` is always asked for with it, and the `auth_time` of the answer must be there and young
    /// enough.
    ///
    /// A provider that enrols a second factor for a person who has none, in a sign-in that asks for it, gives the level to
    /// everyone who has the password, at the latest in the next sign-in: nothing in its answer says so. Have it enrol elsewhere (Keycloak: disable the
    /// required action "Configure OTP").
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Level {
        /// The values of `acr_values`, in order of preference.
        pub acr_values: Vec<String> = or_none(list(parsed("text", scope)).and_then(distinct)),
        /// The authentication contexts of Entra, of which one is asked for as an essential claim `acrs`: `c1` to `c99`.
        pub acrs: Vec<String> = or_none(list(parsed("text", scope)).and_then(distinct)),
        /// The value of `prompt`: with `login`, Keycloak asks for all of the level anew. Without it, Keycloak asks for
        /// nothing while a password is younger than `max_age` and its flow still counts an older second factor, and such an
        /// answer does not count here: the person would be refused until that factor has expired.
        pub prompt: Option<String> = optional("none", parsed("text", prompt)),
        /// Which answer counts.
        pub counts: Counts = required(object()),
    }
}

object! {
    /// Which answer counts: each of these fields that is there must be met. Providers ignore what they do not know, and
    /// answer an `acr` that was reached long ago: Keycloak answers `acr = "mfa"` with `amr = ["pwd"]` where only the
    /// password was asked for. So where a provider says an `amr`, count it beside `acr`.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Counts {
        /// One of these must be the `acr`.
        pub acr: Vec<String> = or_none(list(parsed("text", scope)).and_then(distinct)),
        /// One of these must be among the `acrs` (Entra).
        pub acrs: Vec<String> = or_none(list(parsed("text", scope)).and_then(distinct)),
        /// One of these must be among the `amr` (RFC 8176), such as `otp` or `hwk`.
        pub amr: Vec<String> = or_none(list(parsed("text", scope)).and_then(distinct)),
    }
}

impl Object for Level {
    fn check(&self, place: &Place<'_>) -> Option<()> {
        if self.acr_values.is_empty() && self.acrs.is_empty() && self.prompt.is_none() {
            return place.error(
                "expected `acr_values`, `acrs` or `prompt`: by what the level is asked for",
            );
        }
        Some(())
    }
}

impl Object for Counts {
    fn check(&self, place: &Place<'_>) -> Option<()> {
        if self.acr.is_empty() && self.acrs.is_empty() && self.amr.is_empty() {
            return place
                .error("expected `acr`, `acrs` or `amr`: by which answer the level is reached");
        }
        Some(())
    }
}

/// Those that ask the person for something (OpenID Connect Core section 3.1.2.1).
fn prompt(text: &str) -> Result<String, String> {
    match text {
        "login" | "consent" | "select_account" => Ok(text.to_owned()),
        _ => Err(format!(
            "expected `login`, `consent` or `select_account`, got `{}`",
            text.escape_debug()
        )),
    }
}
