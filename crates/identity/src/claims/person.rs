//! Who a person is.

use breakglass_types::json::Json;

use crate::entry::IdentityProvider;
use crate::shown::shown;
use crate::verify::{IdentityClaims, id, id_expected};

use super::Userinfo;

/// Stands between the values of several claims in a subject. A value must not have it, so that no two people have one
/// subject.
const SEPARATOR: char = '/';

/// A person, by a provider's word. `issuer` and `subject` say who it is, byte for byte; name and mail are for showing, may
/// change, and may be another person's tomorrow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The name of the entry.
    pub provider: String,
    /// The issuer of the entry.
    pub issuer: String,
    /// The value of the entry's `subject`; of several claims their values with a slash between them.
    pub subject: String,
    /// A name to show: at most 128 characters that can be seen.
    pub name: Option<String>,
    /// A mail address to show, likewise.
    pub mail: Option<String>,
    /// Whether the provider says that it has verified this very address (`email_verified`): only then is it the person's.
    pub mail_verified: bool,
}

/// A claim that says who a person is, is missing or wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "ID token: `{claim}` says who a person is (`subject` of the provider): expected {expected}"
)]
pub struct PersonError {
    claim: String,
    expected: String,
}

impl Person {
    /// Reads who it is. Only the ID token says so; for showing, the userinfo endpoint may know more.
    ///
    /// # Errors
    /// [`PersonError`] names the claim.
    pub fn read(
        provider: &IdentityProvider,
        identity: &IdentityClaims,
        userinfo: Option<&Userinfo>,
    ) -> Result<Person, PersonError> {
        let mut subject = String::new();
        for (index, claim) in provider.subject.iter().enumerate() {
            let error = |expected| PersonError { claim: claim.clone(), expected };
            let value = id(identity.json().member(claim)).ok_or_else(|| error(id_expected()))?;
            if provider.subject.len() > 1 && value.contains(SEPARATOR) {
                return Err(error(format!("a text without `{SEPARATOR}`")));
            }
            if index > 0 {
                subject.push(SEPARATOR);
            }
            subject.push_str(&value);
        }
        let claim = |name: &str| {
            let in_token = shown_claim(identity.json(), name);
            in_token.or_else(|| shown_claim(userinfo?.json(), name))
        };
        let mail = claim("email");
        let sources = [Some(identity.json()), userinfo.map(Userinfo::json)];
        let verifies = |json: &Json| mail.as_deref().is_some_and(|mail| has_verified(json, mail));
        Ok(Person {
            provider: provider.name.clone(),
            issuer: provider.issuer.clone(),
            subject,
            name: claim("name").or_else(|| claim("preferred_username")),
            mail_verified: sources.into_iter().flatten().any(verifies),
            mail,
        })
    }
}

/// Whether this answer has `mail`, byte for byte, as an address that the provider has verified. Some providers write the
/// boolean as text.
fn has_verified(json: &Json, mail: &str) -> bool {
    let is_it = json.member("email").and_then(Json::as_str).map(str::trim) == Some(mail);
    let verified = json.member("email_verified");
    is_it && verified.is_some_and(|one| one.as_bool() == Some(true) || one.as_str() == Some("true"))
}

fn shown_claim(json: &Json, name: &str) -> Option<String> {
    let text = json.member(name)?.as_str()?.trim();
    (!text.is_empty()).then(|| shown(text))
}
