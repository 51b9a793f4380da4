//! Whether a token of what is asked for can be made: no approver is woken for what then cannot be used.

use std::collections::BTreeMap;

use breakglass_types::claims::Claims;
use breakglass_types::scope_rules::ScopeDigest;

use super::Refused;
use super::ask::Ask;
use super::fixed_needs::most_approvers;
use crate::access::rules::FixedNeeds;
use crate::app::App;
use crate::clock::Moment;
use crate::config::{Config, Credential, Person};
use crate::granted::{Granted, largest_factor};
use crate::issuer::MintError;

/// Mints what the token would be and throws it away.
pub(super) fn prove_mintable(
    (app, config): (&App, &Config),
    now: Moment,
    who: &Person,
    ask: &Ask,
    audience: &str,
    (fixed, digests): (&FixedNeeds, &BTreeMap<String, ScopeDigest>),
) -> Result<(), Refused> {
    let iat = u64::try_from(now.seconds()).unwrap_or(0);
    // At which level the person signs in to take it, is not known yet.
    let signs_in = matches!(who.credential, Credential::Account { .. });
    let factor = signs_in.then(|| largest_factor(now));
    let claims = Claims::from(Granted {
        issuer: app.issuer().name(),
        holder: &who.name,
        roles: who.roles.clone(),
        groups: who.groups.clone(),
        audience,
        jti: &app.randomness().id("grant", now),
        begins: iat,
        ends: iat.saturating_add(ask.duration_s.unsigned_abs()),
        scopes: &ask.scopes,
        digests,
        reason: &ask.reason,
        incident: ask.incident.as_deref(),
        emergency: ask.emergency,
        basis: fixed.basis(),
        approvers: most_approvers(config, who, fixed),
        factor: factor.as_ref(),
    });
    match app.issuer().mint(&claims) {
        Ok(_) => Ok(()),
        Err(error @ MintError::TooLarge(_)) => Err(Refused::TokenTooLarge(error.to_string())),
        Err(error) => Err(Refused::Internal(error.to_string())),
    }
}
