//! The claims of a token: the one place that makes them, for the tokens that are issued and for the proof, at submission,
//! that one can be.

use std::collections::BTreeMap;

use breakglass_identity::{MAX_ACR_BYTES, MAX_AMR_BYTES, MAX_AMR_VALUES};
use breakglass_types::Basis;
use breakglass_types::claims::{Breakglass, Claims};
use breakglass_types::scope_rules::ScopeDigest;

use crate::clock::Moment;
use crate::store::FactorRow;

/// A grant, as its token says it.
#[derive(Debug, Clone)]
pub struct Granted<'a> {
    /// The `iss`.
    pub issuer: &'a str,
    /// Who holds it.
    pub holder: &'a str,
    /// The holder's roles.
    pub roles: Vec<String>,
    /// The holder's groups.
    pub groups: Vec<String>,
    /// The environment.
    pub audience: &'a str,
    /// The grant's id.
    pub jti: &'a str,
    /// From when the token counts, in seconds since 1970.
    pub begins: u64,
    /// When the grant ends, in seconds since 1970.
    pub ends: u64,
    /// The scopes.
    pub scopes: &'a [String],
    /// The digests of their rules, as the request froze them.
    pub digests: &'a BTreeMap<String, ScopeDigest>,
    /// Why.
    pub reason: &'a str,
    /// The incident.
    pub incident: Option<&'a str>,
    /// Whether it is called an emergency.
    pub emergency: bool,
    /// Why it exists.
    pub basis: Basis,
    /// Who approved it.
    pub approvers: Vec<String>,
    /// How the holder authenticated to take the token; nothing where no level was asked for, and of an API token.
    pub factor: Option<&'a FactorRow>,
}

/// A factor whose claims are as large as any.
#[must_use]
pub(crate) fn largest_factor(now: Moment) -> FactorRow {
    let word = "m".repeat(MAX_AMR_BYTES.checked_div(MAX_AMR_VALUES).unwrap_or_default());
    FactorRow {
        level: String::new(),
        acr: Some("a".repeat(MAX_ACR_BYTES)),
        amr: vec![word; MAX_AMR_VALUES],
        auth_time: now.seconds(),
    }
}

impl From<Granted<'_>> for Claims {
    fn from(granted: Granted<'_>) -> Claims {
        let Granted { approvers, digests, factor, .. } = granted;
        Claims {
            iss: granted.issuer.to_owned(),
            sub: granted.holder.to_owned(),
            aud: vec![granted.audience.to_owned()],
            iat: granted.begins,
            nbf: None,
            exp: granted.ends,
            jti: granted.jti.to_owned(),
            scope: granted.scopes.to_vec(),
            roles: granted.roles,
            groups: granted.groups,
            amr: factor.map(|factor| factor.amr.clone()).unwrap_or_default(),
            acr: factor.and_then(|factor| factor.acr.clone()),
            auth_time: factor.and_then(|factor| u64::try_from(factor.auth_time).ok()),
            cnf: None,
            breakglass: Breakglass {
                reason: granted.reason.to_owned(),
                incident: granted.incident.map(str::to_owned),
                emergency: granted.emergency,
                basis: Some(granted.basis),
                approvals: Some(u32::try_from(approvers.len()).unwrap_or(u32::MAX)),
                approvers,
                scopes: digests.clone(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use breakglass_types::scope_rules::ScopeRules;

    use super::*;

    #[test]
    fn a_token_says_how_many_approved_it_and_the_digests_of_what() {
        let digests = [("x".to_owned(), ScopeRules::default().digest())].into();
        let granted = Granted {
            issuer: "i",
            holder: "alice",
            roles: vec!["oncall".into()],
            groups: vec![],
            audience: "prod",
            jti: "grant_1",
            begins: 1,
            ends: 2,
            scopes: &["x".to_owned(), "y".to_owned()],
            digests: &digests,
            reason: "r",
            incident: None,
            emergency: false,
            basis: Basis::Approved,
            approvers: vec!["bob".into(), "carol".into()],
            factor: None,
        };
        let claims = Claims::from(granted);
        assert_eq!((claims.iat, claims.exp, claims.aud), (1, 2, vec!["prod".to_owned()]));
        let breakglass = claims.breakglass;
        assert_eq!(breakglass.basis, Some(Basis::Approved));
        assert_eq!(breakglass.approvals, Some(2));
        assert_eq!(breakglass.scopes, digests);
    }
    #[test]
    fn a_token_says_how_its_holder_signed_in_where_that_is_known() {
        let (digests, amr) = (BTreeMap::new(), vec!["pwd".to_owned(), "otp".to_owned()]);
        let factor = FactorRow { level: "mfa".into(), acr: Some("2".into()), amr, auth_time: 7 };
        let claims = |factor| {
            Claims::from(Granted {
                issuer: "i",
                holder: "corp:alice",
                roles: vec![],
                groups: vec![],
                audience: "prod",
                jti: "grant_1",
                begins: 1,
                ends: 2,
                scopes: &["x".to_owned()],
                digests: &digests,
                reason: "r",
                incident: None,
                emergency: false,
                basis: Basis::Approved,
                approvers: vec!["bob".into()],
                factor,
            })
        };
        let Claims { amr, acr, auth_time, .. } = claims(Some(&factor));
        assert_eq!((&amr, &acr, auth_time), (&factor.amr, &factor.acr, Some(7)));
        let Claims { amr, acr, auth_time, .. } = claims(None);
        assert_eq!((amr.len(), acr, auth_time), (0, None, None));
    }
}
