//! Another person says yes, to what was shown or to less.
//!
//! What the configuration says now counts, not what it said at submission: a requester who has lost a group, or a scope
//! that has become shorter, is refused here.

use std::sync::{Arc, Mutex, PoisonError};

use breakglass_api::events::EventType;
use breakglass_api::evidence::Action;
use breakglass_api::request::State;
use serde_json::json;

use super::judged::{JudgedParties, note};
use super::narrowing::Narrowing;
use super::waited::{answered, waited};
use super::{NoLonger, Refused, TrustedMoment, locked};
use crate::access::{self, Access, JudgedSignIn};
use crate::app::App;
use crate::auth::identity::has_submitted;
use crate::clock::Moment;
use crate::config::{Config, SignInFor};
use crate::request_metrics::Waited;
use crate::store::{NewApproval, NewGrant, Request};

/// A yes.
#[derive(Debug, Clone, Default)]
pub struct Approval<'a> {
    /// The digest of the request as it was shown.
    pub digest: Option<&'a str>,
    /// To less than was asked for.
    pub narrowing: Narrowing,
    /// What the approver writes beside it.
    pub note: Option<&'a str>,
}

/// A request that was approved.
#[derive(Debug)]
pub struct Approved {
    /// The request, with its grant.
    pub request: Request,
    /// The digest of the configuration by which it was judged; none for a service that has no file.
    pub configuration: Option<Arc<str>>,
}

/// Approves a pending request: from now on its grant runs.
///
/// # Errors
/// [`Refused`] if `who` may not, it is not pending, or not what was shown.
pub async fn approve(
    app: &App,
    parties: &JudgedParties,
    now: TrustedMoment,
    id: &str,
    approval: &Approval<'_>,
) -> Result<Approved, Refused> {
    let (now, who) = (now.moment(), parties.approver.person());
    // Those of the last look, under the lock: the configuration by which the grant is made, and the sign-in.
    let judged = Mutex::new((None, None));
    let check = |request: &Request| {
        let (config, digest) = app.config_and_digest();
        let sign_in = check(&config, parties, now, request, approval)?;
        *judged.lock().unwrap_or_else(PoisonError::into_inner) = (digest, Some(sign_in));
        Ok(())
    };
    let (change, request) = locked::request(app, now, id, check).await?;
    let (configuration, sign_in) = judged.into_inner().unwrap_or_else(PoisonError::into_inner);
    let narrowed = approval.narrowing.of(&request)?;
    let digest = approval.digest.unwrap_or_default();
    let (scopes, duration_s) = (narrowed.fewer(&request), narrowed.shorter(&request));
    let new = NewApproval { approver: &who.name, digest, note: approval.note, scopes, duration_s };

    // A rule has one stage of one approver: this approval is the last.
    let jti = app.randomness().id("grant", now);
    let expires_at = now.seconds().saturating_add(narrowed.duration_s);
    let activate_by = now.seconds().saturating_add(app.config().activate_within).min(expires_at);
    let grant = NewGrant { jti: &jti, scopes: &narrowed.scopes, expires_at, activate_by };
    let approved = change.approve(now, &request, &new, &grant).await?;

    let digests = request.digests_of(&narrowed.scopes);
    let mut detail = json!({ "digest": digest, "scope_digests": digests });
    if let Some(detail) = detail.as_object_mut() {
        let configuration = configuration.as_ref();
        detail.extend(configuration.map(|digest| ("configuration".to_owned(), json!(&**digest))));
        detail.extend(scopes.map(|scopes| ("scopes".to_owned(), json!(scopes))));
        detail.extend(duration_s.map(|seconds| ("duration_s".to_owned(), json!(seconds))));
        detail.extend(sign_in.as_ref().and_then(JudgedSignIn::on_trail));
        detail.extend(approval.note.map(|note| ("note".to_owned(), json!(note))));
    }
    note(&mut detail, &parties.old_groups());
    let words = (Action::Approve, EventType::Approved);
    let before = request.remarks;
    let request = approved.commit(now, &who.name, words, detail).await?;
    app.changed(Action::Approve, id);
    waited(app, now, &request, Waited::Approval);
    answered(app, now, &request, &who.name, before).await;
    tracing::info!(request = id, grant = jti, approver = who.name, digest, "approved");
    Ok(Approved { request, configuration })
}

fn check(
    config: &Config,
    parties: &JudgedParties,
    now: Moment,
    request: &Request,
    approval: &Approval<'_>,
) -> Result<JudgedSignIn, Refused> {
    let approver = &parties.approver;
    let judged = parties.requester(config, request)?;
    let narrowed = approval.narrowing.of(request);
    // Who may not approve learns nothing of what could be approved.
    let scopes = narrowed.as_ref().map_or(&request.scopes, |narrowed| &narrowed.scopes);
    let access = Access::of(config);
    let approves = access.check_approve(approver.person(), &request.requester, scopes);
    approves.map_err(|why| approver.explain(why))?;
    access.check_approve_by(approver.sign_in())?;
    if request.state != State::Pending {
        return Err(Refused::NotPending(request.state));
    }
    let narrowed = narrowed?;
    let requester = config.person(&request.requester);
    let requester = requester.zip(judged);
    let (requester, judged) = requester.ok_or(Refused::NoLongerAllowed(NoLonger::Requester))?;
    if !has_submitted(&requester, request) {
        return Err(Refused::NoLongerAllowed(NoLonger::Credential));
    }
    let assessed = access.assess(&requester, &narrowed.scopes, narrowed.duration_s);
    let assessment = assessed.map_err(|why| match why {
        // Not that it is allowed no longer: that it is not known.
        access::Refused::MembershipUnknown => judged.explain(why),
        why => Refused::NoLongerAllowed(NoLonger::Rules(why)),
    })?;
    if assessment.audience != request.audience {
        return Err(Refused::NoLongerAllowed(NoLonger::Audience));
    }
    match approval.digest {
        None => Err(Refused::DigestRequired(Box::new(request.clone()))),
        Some(digest) if digest != request.digest() => {
            Err(Refused::RequestChanged(Box::new(request.clone())))
        }
        // At last: a person who has signed in again is not refused for something else then.
        Some(_) => Ok(access.check_sign_in(
            SignInFor::Approval,
            approver.sign_in(),
            now,
            &narrowed.scopes,
        )?),
    }
}
