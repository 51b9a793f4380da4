//! The claims of a break-glass token: the one definition that the approval service mints, the filter reads, and the
//! tests mint by.
//!
//! Reading is strict: a required claim that is missing, a claim of another type, or a name with control
//! characters is an error that says which claim. An instant is a number of seconds and may have a fraction
//! (RFC 7519 section 2, NumericDate); it is rounded to the second that makes the token's time shorter. Claims that are not listed here are ignored (RFC 7519 section 4).

mod claim;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::basis::Basis;
use crate::hex;
use crate::json::Json;
use crate::scope_rules::ScopeDigest;

use claim::{Claim, Present};

pub use claim::InvalidClaims;

pub use crate::limits::{LAST_INSTANT, MAX_NAME_BYTES, MAX_TEXT_BYTES};

/// The claims of a token, of which nothing is proved yet: only
/// `breakglass_core::token` turns them into something that can be believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claims {
    /// Who issued it: compared with the configured issuers (RFC 7519 section 4.1.1).
    pub iss: String,
    /// The person who holds the grant (RFC 7519 section 4.1.2).
    pub sub: String,
    /// The environments it is for (RFC 7519 section 4.1.3); never empty.
    pub aud: Vec<String>,
    /// When it was issued, in seconds since 1970, rounded up (RFC 7519 section 4.1.6).
    pub iat: u64,
    /// Before this instant it is void, in seconds since 1970, rounded up (RFC 7519 section 4.1.5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
    /// From this instant on it is void, in seconds since 1970, rounded down (RFC 7519 section 4.1.4).
    pub exp: u64,
    /// The grant's id (RFC 7519 section 4.1.7): visible ASCII.
    pub jti: String,
    /// The scopes granted, on the wire one string with spaces between them (RFC 8693 section 4.2).
    #[serde(serialize_with = "space_separated")]
    pub scope: Vec<String>,
    /// The holder's roles (RFC 9068 section 2.2.3.1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// The holder's groups (RFC 9068 section 2.2.3.1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// How the holder authenticated (RFC 8176).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    /// The authentication context class (OpenID Connect Core section 2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// When the holder authenticated, in seconds since 1970, rounded down (OpenID Connect Core section 2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<u64>,
    /// The client certificate that the token is bound to (RFC 8705 section 3.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
    /// What was asked for and who approved it.
    pub breakglass: Breakglass,
}

/// `cnf`: proof of possession.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Confirmation {
    /// base64url of the SHA-256 of the client certificate's DER (RFC 8705 section 3.1).
    #[serde(rename = "x5t#S256")]
    pub x5t_s256: String,
}

impl Confirmation {
    /// Whether this is the thumbprint of the certificate with this SHA-256, in hex, as Envoy's
    /// `connection.sha256_peer_certificate_digest` gives it.
    #[must_use]
    pub fn is_of_certificate(&self, digest: &[u8]) -> bool {
        let Some(thumbprint) = self.decoded() else { return false };
        hex::lower(&thumbprint).as_bytes().eq_ignore_ascii_case(digest)
    }

    fn decoded(&self) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(&self.x5t_s256).ok()?;
        (bytes.len() == 32).then_some(bytes)
    }
}

/// The claim `breakglass`: why the grant exists.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Breakglass {
    /// The justification that the approver saw.
    pub reason: String,
    /// The incident or ticket, if one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
    /// Who approved it.
    pub approvers: Vec<String>,
    /// Whether it was issued as an emergency.
    pub emergency: bool,
    /// Why the grant exists. Tokens of before say nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// How many people approved it. Tokens of before say nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approvals: Option<u32>,
    /// The digests of the rules that were approved, by the names of the scopes, where they were known.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub scopes: BTreeMap<String, ScopeDigest>,
}

impl Claims {
    /// Reads the claims from a payload.
    ///
    /// # Errors
    /// [`InvalidClaims`] names the first claim that is missing or not as it must be.
    pub fn from_json(payload: &Json) -> Result<Claims, InvalidClaims> {
        if payload.as_object().is_none() {
            return Err(InvalidClaims::NotAnObject);
        }
        let claim = |name: &'static str| Claim { name, value: payload.member(name) };
        Ok(Claims {
            iss: claim("iss").required()?.name()?,
            sub: claim("sub").required()?.name()?,
            aud: claim("aud").required()?.one_or_more_names()?,
            iat: claim("iat").required()?.instant(f64::ceil)?,
            nbf: claim("nbf").optional(|nbf| nbf.instant(f64::ceil))?,
            exp: claim("exp").required()?.instant(f64::floor)?,
            jti: claim("jti").required()?.token()?,
            scope: claim("scope").required()?.words()?,
            roles: claim("roles").optional(|roles| roles.names())?.unwrap_or_default(),
            groups: claim("groups").optional(|groups| groups.names())?.unwrap_or_default(),
            amr: claim("amr").optional(|amr| amr.names())?.unwrap_or_default(),
            acr: claim("acr").optional(|acr| acr.name())?,
            auth_time: claim("auth_time").optional(|instant| instant.instant(f64::floor))?,
            cnf: claim("cnf").optional(confirmation)?,
            breakglass: breakglass(claim("breakglass").required()?)?,
        })
    }
}

/// A `cnf` that holds anything but a certificate's thumbprint is an error: a binding that is not
/// understood is not one that may be skipped.
fn confirmation(cnf: Present<'_>) -> Result<Confirmation, InvalidClaims> {
    let members = cnf.value.as_object().ok_or(cnf.invalid())?;
    match (members.len(), members.get("x5t#S256").and_then(Json::as_str)) {
        (1, Some(thumbprint)) => {
            let confirmation = Confirmation { x5t_s256: thumbprint.to_owned() };
            if confirmation.decoded().is_some() { Ok(confirmation) } else { Err(cnf.invalid()) }
        }
        _ => Err(cnf.invalid()),
    }
}

fn breakglass(claim: Present<'_>) -> Result<Breakglass, InvalidClaims> {
    if claim.value.as_object().is_none() {
        return Err(claim.invalid());
    }
    let member =
        |path: &'static str, name: &str| Claim { name: path, value: claim.value.member(name) };
    Ok(Breakglass {
        reason: member("breakglass.reason", "reason").required()?.text()?,
        incident: member("breakglass.incident", "incident").optional(|incident| incident.name())?,
        approvers: member("breakglass.approvers", "approvers").required()?.names()?,
        emergency: member("breakglass.emergency", "emergency")
            .optional(|emergency| emergency.value.as_bool().ok_or(emergency.invalid()))?
            .unwrap_or(false),
        basis: member("breakglass.basis", "basis").optional(|basis| {
            basis.value.as_str().and_then(Basis::from_word).ok_or(basis.invalid())
        })?,
        approvals: member("breakglass.approvals", "approvals").optional(|count| {
            count.value.as_u64().and_then(|count| count.try_into().ok()).ok_or(count.invalid())
        })?,
        scopes: member("breakglass.scopes", "scopes")
            .optional(|scopes| scopes.digests())?
            .unwrap_or_default(),
    })
}

fn space_separated<S: Serializer>(words: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&words.join(" "))
}

#[cfg(test)]
mod tests;
