//! A person asks for access. What is accepted here can be approved by another person, minted, and read by the filter.

use std::collections::BTreeMap;

use breakglass_api::events::EventType;
use breakglass_api::evidence::Action;
use breakglass_types::claims::Claims;
use breakglass_types::scope_rules::{ScopeDigest, ScopeRules};
use serde_json::{Value, json};

use super::fixed_needs::{fix, fix_again, most_approvers};
use super::judged::{JudgedActor, note};
use super::{OnlyRequester, Refused, TrustedMoment, WrongField, find, incident, locked};
use crate::access::rules::{Facts, FixedNeeds};
use crate::access::{Access, JudgedSignIn};
use crate::app::App;
use crate::auth::identity::fingerprint;
use crate::clock::Moment;
use crate::config::{Credential, Person};
use crate::granted::{Granted, largest_factor};
use crate::issuer::MintError;
use crate::store::{Change, Earlier, Idempotency, IncidentCheckRow, Request, Submission};

/// What is asked for, within its bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The scopes, each once.
    pub scopes: Vec<String>,
    /// Why.
    pub reason: String,
    /// The incident.
    pub incident: Option<String>,
    /// For how long, in seconds.
    pub duration_s: i64,
    /// Whether it is called an emergency.
    pub emergency: bool,
    /// The request whose grant it goes on with.
    pub extends: Option<String>,
}

impl Ask {
    /// What conditions of rules are about, but for what the person held.
    fn facts<'a>(&'a self, who: &'a Person, now: Moment) -> Facts<'a> {
        Facts {
            requester: &who.name,
            scopes: &self.scopes,
            duration_s: self.duration_s,
            held: &[],
            emergency: self.emergency,
            submitted_at: now,
        }
    }
}

/// What became of a submission.
#[derive(Debug)]
pub struct Submitted {
    /// The request as it is now.
    pub request: Request,
    /// Whether an earlier submission made it, and this one repeats that.
    pub repeated: bool,
}

/// Takes a request, unless it repeats an earlier one.
///
/// # Errors
/// [`Refused`] if `who` may not ask for it, or it could not be approved, or not be used.
pub async fn submit(
    app: &App,
    actor: &JudgedActor,
    now: TrustedMoment,
    ask: &Ask,
    idempotency: Option<Idempotency<'_>>,
) -> Result<Submitted, Refused> {
    let (now, who) = (now.moment(), actor.person());
    let credential = fingerprint(who);
    if let Some(key) = &idempotency {
        let earlier = app.store().earlier_submission(now, &who.name, &credential, key).await?;
        if let Some(id) = repeats(earlier)? {
            return repeated(app, now, &id).await;
        }
    }
    check_incident(app, ask)?;
    if let Some(parent) = &ask.extends {
        check_extension(who, ask, &find::request(app, now, parent).await?)?;
    }
    let config = app.config();
    let access = Access::of(&config);
    let asked = access.check_ask(who, &ask.scopes, ask.duration_s);
    let audience = asked.map_err(|why| actor.explain(why))?;
    let held = app.store().held_lately(now, &who.name).await?;
    let facts = ask.facts(who, now);
    let mut fixed = fix(&access, &facts, held)?;
    let sign_in = access.check_sign_in_to_ask(actor.sign_in(), now, &ask.scopes)?;
    let id = app.randomness().id("req", now);
    // From here on they are those of the request: a definition that changes later changes no request.
    let definitions = app.definitions();
    let defined = definitions.of(&audience, &ask.scopes);
    let digests = defined.iter().map(|(name, one)| (name.clone(), one.digest)).collect();
    let rules: Vec<&ScopeRules> = defined.values().map(|one| &one.rules).collect();
    let mintable = |fixed: &FixedNeeds| {
        let approvers = most_approvers(&config, who, &fixed.needs);
        prove_mintable(app, now, who, ask, &audience, (approvers, &digests))
    };
    mintable(&fixed)?;
    // After all that costs nothing: here no lock and no connection waits for it.
    let (now, incident_check) =
        match incident::needed(&config, &ask.scopes, ask.incident.as_deref())? {
            None => (now, None),
            Some(needed) => {
                let row = incident::ask(app, &config, who, now, needed).await?;
                (app.trusted_now()?.moment(), Some(row))
            }
        };

    app.store().check_space()?;
    let mut change = app.store().change().await?;
    // Another request of the same person may have come in between.
    match fix_again(&mut change, &access, &facts, &fixed).await {
        Ok(None) => {}
        Ok(Some(other)) => {
            if let Err(refused) = mintable(&other) {
                return Err(locked::refuse(change, refused).await);
            }
            fixed = other;
        }
        Err(refused) => return Err(locked::refuse(change, refused).await),
    }
    let submission = Submission {
        id: &id,
        requester: &who.name,
        roles: &who.roles,
        groups: &who.groups,
        audience: &audience,
        scopes: &ask.scopes,
        needs: &fixed,
        scope_digests: &digests,
        scope_rules: &rules,
        reason: &ask.reason,
        incident: ask.incident.as_deref(),
        emergency: ask.emergency,
        duration_s: ask.duration_s,
        extends: ask.extends.as_deref(),
        pending_lifetime_s: config.pending_lifetime,
        credential,
        incident_check: incident_check.as_ref(),
        idempotency,
    };
    match second_look(&mut change, now, who, ask, &submission, config.max_pending_requests).await {
        Ok(None) => {}
        Ok(Some(id)) => {
            change.abandon().await?;
            return repeated(app, now, &id).await;
        }
        Err(refused) => return Err(locked::refuse(change, refused).await),
    }
    let submitted = change.submit(now, &submission).await?;
    let words = (Action::Submit, EventType::Submitted);
    let mut detail = detail(&submission, &sign_in);
    note(&mut detail, actor.old_groups().as_slice());
    let request = submitted.commit(now, &who.name, words, detail).await?;
    app.changed(Action::Submit, &id);
    tracing::info!(request = id, requester = who.name, scopes = ?ask.scopes, "submitted");
    Ok(Submitted { request, repeated: false })
}

fn detail(new: &Submission<'_>, sign_in: &JudgedSignIn) -> Value {
    let mut detail = json!({
        "audience": new.audience, "scopes": new.scopes, "reason": new.reason,
        "incident": new.incident, "emergency": new.emergency, "duration_s": new.duration_s,
        "roles": new.roles, "groups": new.groups, "digest": new.digest(),
        "scope_digests": new.scope_digests, "needs": new.needs.needs,
    });
    if let Some(detail) = detail.as_object_mut() {
        detail.extend(new.extends.map(|parent| ("extends".to_owned(), json!(parent))));
        let check = new.incident_check.map(IncidentCheckRow::on_trail);
        detail.extend(check.map(|check| ("incident_check".to_owned(), check)));
        detail.extend(sign_in.on_trail());
    }
    detail
}

/// What has to hold under the lock too. The id of the request that this submission repeats, if there is one.
async fn second_look(
    change: &mut Change,
    now: Moment,
    who: &Person,
    ask: &Ask,
    new: &Submission<'_>,
    max_pending: i64,
) -> Result<Option<String>, Refused> {
    if let Some(key) = &new.idempotency {
        let earlier = change.earlier_submission(now, &who.name, &new.credential, key).await?;
        if let Some(id) = repeats(earlier)? {
            return Ok(Some(id));
        }
    }
    if let Some(parent) = &ask.extends {
        let parent = change.request(now, parent).await?.ok_or(Refused::RequestUnknown)?;
        check_extension(who, ask, &parent)?;
    }
    let pending = change.pending_of(now, &who.name).await?;
    if pending >= max_pending {
        return Err(Refused::TooManyPending(pending));
    }
    Ok(None)
}

fn repeats(earlier: Earlier) -> Result<Option<String>, Refused> {
    match earlier {
        Earlier::None => Ok(None),
        Earlier::Same(id) => Ok(Some(id)),
        Earlier::Other => Err(Refused::KeyReused),
    }
}

async fn repeated(app: &App, now: Moment, id: &str) -> Result<Submitted, Refused> {
    Ok(Submitted { request: find::request(app, now, id).await?, repeated: true })
}

fn check_incident(app: &App, ask: &Ask) -> Result<(), Refused> {
    let config = app.config();
    match (&config.incident_pattern, &ask.incident) {
        (Some(pattern), Some(incident)) if !pattern.is_match(incident) => Err(field(
            "incident",
            "expected an incident that the service's `incident_pattern` matches".to_owned(),
        )),
        _ => Ok(()),
    }
}

/// An extension goes on with a grant of the requester's own that holds, for what that grant has.
fn check_extension(who: &Person, ask: &Ask, parent: &Request) -> Result<(), Refused> {
    if parent.requester != who.name {
        return Err(Refused::NotTheRequester(OnlyRequester::Extend));
    }
    if !parent.holds() {
        return Err(Refused::NoGrant(Box::new(parent.clone())));
    }
    let held = parent.held_scopes();
    match ask.scopes.iter().position(|scope| !held.contains(scope)) {
        None => Ok(()),
        Some(index) => Err(field(
            &format!("scopes[{index}]"),
            format!(
                "an extension is for what its grant has: expected one of `{}`; ask for others without `extends`",
                held.join("`, `")
            ),
        )),
    }
}

fn field(field: &str, expected: String) -> Refused {
    Refused::Fields(vec![WrongField { field: field.to_owned(), expected }])
}

/// Mints what the token would be and throws it away, so that no approver is woken for what then
/// cannot be used.
fn prove_mintable(
    app: &App,
    now: Moment,
    who: &Person,
    ask: &Ask,
    audience: &str,
    (approvers, digests): (Vec<String>, &BTreeMap<String, ScopeDigest>),
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
        approvers,
        factor: factor.as_ref(),
    });
    match app.issuer().mint(&claims) {
        Ok(_) => Ok(()),
        Err(error @ MintError::TooLarge(_)) => Err(Refused::TokenTooLarge(error.to_string())),
        Err(error) => Err(Refused::Internal(error.to_string())),
    }
}
