//! A person asks for access. What is accepted here can be approved by another person, minted, and read by the filter.

use breakglass_api::events::EventType;
use breakglass_api::evidence::Action;
use breakglass_types::scope_rules::ScopeRules;
use serde_json::{Value, json};

use super::ask::Ask;
use super::emergency::take_alone;
use super::fixed_needs::{Lately, fix, fix_again};
use super::judged::{JudgedActor, note};
use super::mintable::prove_mintable;
use super::{OnlyRequester, Refused, TrustedMoment, WrongField, find, incident, locked};
use crate::access::rules::FixedNeeds;
use crate::access::{Access, JudgedSignIn};
use crate::app::App;
use crate::auth::identity::fingerprint;
use crate::clock::Moment;
use crate::config::Person;
use crate::store::{Change, Earlier, Idempotency, IncidentCheckRow, Request, Submission};

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
    let (config, configuration) = app.config_and_digest();
    let access = Access::of(&config);
    let may_ask = access.check_ask(who, &ask.scopes, ask.duration_s);
    let audience = may_ask.map_err(|why| actor.explain(why))?;
    let asked = ask.by(actor, now);
    let lately = Lately::of(app.store(), &asked).await?;
    let mut fixed = fix(&access, &asked, &lately, now)?;
    let sign_in = access.check_sign_in_to_ask(actor.sign_in(), now, &ask.scopes)?;
    let id = app.randomness().id("req", now);
    // From here on they are those of the request: a definition that changes later changes no request.
    let definitions = app.definitions();
    let defined = definitions.of(&audience, &ask.scopes);
    let digests = defined.iter().map(|(name, one)| (name.clone(), one.digest)).collect();
    let rules: Vec<&ScopeRules> = defined.values().map(|one| &one.rules).collect();
    let mintable = |fixed: &FixedNeeds| {
        prove_mintable((app, &config), now, who, ask, &audience, (fixed, &digests))
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
    let unchecked = incident_check.as_ref().is_some_and(IncidentCheckRow::is_owed);
    match fix_again(&mut change, &access, &asked, (&lately, unchecked), now).await {
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
    let mut detail = detail(&submission, &sign_in);
    note(&mut detail, actor.old_groups().as_slice());
    let request = match fixed.is_alone() {
        true => {
            let by = (&*config, configuration.as_ref());
            take_alone(app, by, now, (submitted, detail), &sign_in).await?
        }
        false => {
            let words = (Action::Submit, EventType::Submitted);
            submitted.commit(now, &who.name, words, detail).await?
        }
    };
    app.changed(Action::Submit, &id);
    if fixed.is_alone() {
        app.changed(Action::TakeEmergency, &id);
    }
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
        let obstacles = new.needs.emergency.as_ref().map(|emergency| &emergency.obstacles);
        detail.extend(obstacles.map(|all| ("obstacles".to_owned(), json!(all))));
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
