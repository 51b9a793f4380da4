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
mod tests {
    use super::*;
    use crate::scope_rules::ScopeRules;
    use crate::testing::test;

    const MINIMAL: &str = r#"{"iss":"i","sub":"s","aud":"a","iat":1,"exp":2,"jti":"j",
        "scope":"x y","breakglass":{"reason":"r","approvers":["bob"]}}"#;

    fn read(text: &str) -> Result<Claims, InvalidClaims> {
        Claims::from_json(&Json::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn reads_what_it_writes() {
        let claims = Claims {
            nbf: Some(1),
            roles: vec!["oncall".into()],
            groups: vec!["sre".into()],
            amr: vec!["mfa".into()],
            acr: Some("aal2".into()),
            auth_time: Some(1),
            cnf: Some(Confirmation { x5t_s256: "A".repeat(43) }),
            ..read(MINIMAL).unwrap()
        };
        assert_eq!(claims.scope, ["x", "y"]);
        assert_eq!(read(&serde_json::to_string(&claims).unwrap()), Ok(claims));
    }

    #[test]
    fn names_the_claim_that_is_missing() {
        for name in ["iss", "sub", "aud", "iat", "exp", "jti", "scope", "breakglass"] {
            let Json::Object(mut members) = Json::parse(MINIMAL.as_bytes()).unwrap() else {
                panic!("an object")
            };
            members.remove(name);
            assert_eq!(
                Claims::from_json(&Json::Object(members)),
                Err(InvalidClaims::Missing(name))
            );
        }
        assert_eq!(read("[]"), Err(InvalidClaims::NotAnObject));
    }

    /// The members of [`Claims`], as docs/tokens.md lists them: the name, and whether it is required.
    const LISTED: [(&str, bool); 22] = [
        ("iss", true),
        ("sub", true),
        ("aud", true),
        ("exp", true),
        ("nbf", false),
        ("iat", true),
        ("jti", true),
        ("scope", true),
        ("roles", false),
        ("groups", false),
        ("amr", false),
        ("acr", false),
        ("auth_time", false),
        ("cnf", false),
        ("breakglass", true),
        ("breakglass.reason", true),
        ("breakglass.approvers", true),
        ("breakglass.incident", false),
        ("breakglass.emergency", false),
        ("breakglass.basis", false),
        ("breakglass.approvals", false),
        ("breakglass.scopes", false),
    ];

    #[test]
    fn the_documented_claims_are_those_that_are_read() {
        let document = include_str!("../../../docs/tokens.md");
        let claims = document.split("## Claims").nth(1).unwrap().split("\n## ").next().unwrap();
        let rows = claims.lines().filter_map(|line| line.strip_prefix("| `")).map(|row| {
            let mut cells = row.split(" | ");
            (cells.next().unwrap().trim_end_matches('`'), cells.next().unwrap() == "yes")
        });
        assert_eq!(rows.collect::<Vec<_>>(), LISTED);
        // Each of them is read, and those without which there are no claims are required.
        for (path, required) in LISTED {
            for change in [None, Some(Json::Array(vec![Json::Bool(true)]))] {
                let Json::Object(mut members) = Json::parse(MINIMAL.as_bytes()).unwrap() else {
                    panic!("an object")
                };
                let object = match (path.split_once('.'), members.get_mut("breakglass")) {
                    (Some(_), Some(Json::Object(inner))) => inner,
                    _ => &mut members,
                };
                let name = path.rsplit('.').next().unwrap();
                let missing = change.is_none();
                match change {
                    Some(other) => object.insert(name.into(), other),
                    None => object.remove(name),
                };
                let read = Claims::from_json(&Json::Object(members));
                match (missing, required) {
                    (true, true) => assert_eq!(read, Err(InvalidClaims::Missing(path))),
                    (true, false) => assert!(read.is_ok(), "{path}"),
                    (false, _) => assert_eq!(read, Err(InvalidClaims::Invalid(path))),
                }
            }
        }
    }

    /// What is written has the members that are listed, and no other.
    #[test]
    fn the_documented_claims_are_those_that_are_written() {
        let claims = Claims {
            nbf: Some(1),
            roles: vec!["oncall".into()],
            groups: vec!["sre".into()],
            amr: vec!["mfa".into()],
            acr: Some("aal2".into()),
            auth_time: Some(1),
            cnf: Some(Confirmation { x5t_s256: "A".repeat(43) }),
            breakglass: Breakglass {
                incident: Some("INC-1".into()),
                basis: Some(Basis::PreApproved),
                approvals: Some(2),
                scopes: [("x".to_owned(), ScopeRules::default().digest())].into(),
                ..read(MINIMAL).unwrap().breakglass
            },
            ..read(MINIMAL).unwrap()
        };
        let written = Json::parse(serde_json::to_string(&claims).unwrap().as_bytes()).unwrap();
        let members = |json: &Json, before: &str| -> Vec<String> {
            json.as_object().unwrap().keys().map(|name| format!("{before}{name}")).collect()
        };
        let mut found = members(&written, "");
        found.extend(members(written.member("breakglass").unwrap(), "breakglass."));
        let mut listed = LISTED.map(|(name, _)| name.to_owned());
        found.sort();
        listed.sort();
        assert_eq!(found, listed);
    }

    /// By hand: a reader and a writer that are wrong in the same way read what they write.
    #[test]
    fn writes_what_other_verifiers_read() {
        let text = r#"{"iss":"i","sub":"s","aud":["a"],"iat":1,"exp":2,"jti":"j","scope":"x y","breakglass":{"reason":"r","approvers":["bob"],"emergency":false}}"#;
        assert_eq!(serde_json::to_string(&read(MINIMAL).unwrap()).unwrap(), text);
    }

    #[test]
    fn a_fraction_makes_the_time_of_a_token_shorter_and_never_longer() {
        let read = |name: &str, value: &str| {
            let Json::Object(mut members) = Json::parse(MINIMAL.as_bytes()).unwrap() else {
                panic!("an object")
            };
            members.insert(name.into(), Json::parse(value.as_bytes()).unwrap());
            Claims::from_json(&Json::Object(members)).unwrap()
        };
        for (value, down, up) in [
            ("2", 2, 2),
            ("2.0", 2, 2),
            ("2e0", 2, 2),
            ("1.8e9", 1_800_000_000, 1_800_000_000),
            ("1800000000.000001", 1_800_000_000, 1_800_000_001),
            ("1800000000.5", 1_800_000_000, 1_800_000_001),
            ("1800000000.999999", 1_800_000_000, 1_800_000_001),
            ("0.5", 0, 1),
            ("1e-300", 0, 1),
            ("-0.0", 0, 0),
            ("253402300798.5", 253_402_300_798, LAST_INSTANT),
        ] {
            assert_eq!(read("exp", value).exp, down, "{value}");
            assert_eq!(read("auth_time", value).auth_time, Some(down), "{value}");
            assert_eq!(read("iat", value).iat, up, "{value}");
            assert_eq!(read("nbf", value).nbf, Some(up), "{value}");
        }
    }

    #[test]
    fn names_the_claim_that_is_of_another_type_or_out_of_bounds() {
        for (name, value) in [
            ("exp", r#""2""#),
            ("exp", "-1"),
            ("exp", "-0.5"),
            ("nbf", "-1e-9"),
            ("exp", "253402300800"),
            ("exp", "253402300800.0"),
            ("exp", "1e300"),
            ("iat", "253402300799.5"),
            ("exp", r#""2.5""#),
            ("exp", "18446744073709551616"),
            ("exp", "null"),
            ("iat", "true"),
            ("nbf", "[]"),
            ("auth_time", r#""now""#),
            ("iss", "1"),
            ("sub", r#""""#),
            ("sub", r#""a\nb""#),
            ("jti", r#""a b""#),
            ("jti", r#""é""#),
            ("aud", "[]"),
            ("aud", "[1]"),
            ("scope", r#"["x"]"#),
            ("scope", r#""x  y""#),
            ("roles", r#""oncall""#),
            ("amr", "{}"),
            ("acr", "2"),
            ("cnf", r#"{"jkt":"x"}"#),
            ("cnf", r#"{"x5t#S256":"short"}"#),
            ("breakglass", "[]"),
        ] {
            let Json::Object(mut members) = Json::parse(MINIMAL.as_bytes()).unwrap() else {
                panic!("an object")
            };
            members.insert(name.into(), Json::parse(value.as_bytes()).unwrap());
            assert_eq!(
                Claims::from_json(&Json::Object(members)),
                Err(InvalidClaims::Invalid(name)),
                "{name} = {value}"
            );
        }
    }
}
