//! Another person says yes, to what was shown or to less: the grant is made when nobody else has to.
//!
//! What a request needs was fixed when it was submitted, and what the configuration asks for since then comes on top. An
//! approval of less leaves less to approve: those who come after it approve that, and nobody widens it again.
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
use super::{NoLonger, Refused, TrustedMoment, incident, locked};
use crate::access::rules::Answer;
use crate::access::{self, Access, JudgedSignIn};
use crate::app::App;
use crate::auth::identity::has_submitted;
use crate::clock::Moment;
use crate::config::{Config, SignInFor};
use crate::needed::Waiting;
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

/// A request that a person approved.
#[derive(Debug)]
pub struct Approved {
    /// The request, with its grant where nobody else has to approve it.
    pub request: Request,
    /// The digest of the configuration by which it was judged; none for a service that has no file.
    pub configuration: Option<Arc<str>>,
}

/// What was found of an approval under the lock.
#[derive(Debug, Clone)]
struct Judged {
    /// The digest of the configuration.
    configuration: Option<Arc<str>>,
    sign_in: JudgedSignIn,
    yes: Yes,
}

/// A yes that counts.
#[derive(Debug, Clone)]
struct Yes {
    /// By these groups of the approver.
    groups: Vec<String>,
    /// Whether nobody else has to approve what is left.
    is_last: bool,
}

/// Approves a pending request: if nobody else has to, its grant runs from now on.
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
    // That of the last look, under the lock.
    let judged = Mutex::new(None);
    let check = |request: &Request| {
        let (config, configuration) = app.config_and_digest();
        let (sign_in, yes) = check(&config, parties, now, request, approval)?;
        let found = Judged { configuration, sign_in, yes };
        *judged.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
        Ok(())
    };
    let (change, request) = locked::request(app, now, id, check).await?;
    let judged = judged.into_inner().unwrap_or_else(PoisonError::into_inner);
    let Judged { configuration, sign_in, yes } =
        judged.ok_or_else(|| Refused::Internal("the approval was not judged".to_owned()))?;
    let narrowed = approval.narrowing.of(&request)?;
    let digest = approval.digest.unwrap_or_default();
    let (scopes, duration_s) = (narrowed.fewer(&request), narrowed.shorter(&request));
    let groups = yes.groups.as_slice();
    let new = NewApproval {
        approver: &who.name,
        digest,
        note: approval.note,
        scopes,
        duration_s,
        groups,
    };

    let mut detail = json!({
        "digest": digest, "scope_digests": request.digests_of(&narrowed.scopes), "groups": groups,
    });
    if let Some(detail) = detail.as_object_mut() {
        let configuration = configuration.as_ref();
        detail.extend(configuration.map(|digest| ("configuration".to_owned(), json!(&**digest))));
        detail.extend(scopes.map(|scopes| ("scopes".to_owned(), json!(scopes))));
        detail.extend(duration_s.map(|seconds| ("duration_s".to_owned(), json!(seconds))));
        detail.extend(sign_in.on_trail());
        detail.extend(approval.note.map(|note| ("note".to_owned(), json!(note))));
    }
    note(&mut detail, &parties.old_groups());
    let is_first = request.approvals.is_empty();
    let before = request.remarks;
    let (changed, event) = match yes.is_last {
        false => (change.approve_partly(now, &request, &new).await?, EventType::PartlyApproved),
        true => {
            let jti = app.randomness().id("grant", now);
            let expires_at = now.seconds().saturating_add(narrowed.duration_s);
            let activate_within = app.config().activate_within;
            let activate_by = now.seconds().saturating_add(activate_within).min(expires_at);
            let scopes = &narrowed.scopes;
            let grant = NewGrant { jti: &jti, scopes, expires_at, activate_by };
            (change.approve(now, &request, &new, &grant).await?, EventType::Approved)
        }
    };
    if let Some(names) = changed.request().several_approvers().filter(|_| yes.is_last)
        && let Some(detail) = detail.as_object_mut()
    {
        detail.insert("approvers".to_owned(), json!(names));
    }
    let request = changed.commit(now, &who.name, (Action::Approve, event), detail).await?;
    app.changed(Action::Approve, id);
    if yes.is_last {
        waited(app, now, &request, Waited::Approval);
    }
    if is_first {
        answered(app, now, &request, &who.name, before).await;
    }
    let grant = request.jti.as_deref();
    tracing::info!(request = id, grant, approver = who.name, digest, "approved");
    Ok(Approved { request, configuration })
}

fn check(
    config: &Config,
    parties: &JudgedParties,
    now: Moment,
    request: &Request,
    approval: &Approval<'_>,
) -> Result<(JudgedSignIn, Yes), Refused> {
    let approver = &parties.approver;
    let judged = parties.requester(config, request)?;
    let narrowed = approval.narrowing.of(request);
    // Who may not approve learns nothing of what could be approved.
    let scopes = narrowed.as_ref().map_or(request.left_scopes(), |narrowed| &narrowed.scopes);
    let access = Access::of(config);
    let needed = Waiting::of(request, scopes).needed(config, config, now);
    let mut answers = needed.answers();
    let name = &approver.person().name;
    let groups =
        access.check_approve(approver.person(), &request.requester, &needed.needs, &answers);
    // Of a request that is decided it is no matter any more whose turn it is.
    let groups = match (groups, request.state) {
        (Err(why), State::Pending) => return Err(approver.explain(why)),
        (Err(why), _) if !why.is_about_others() => return Err(approver.explain(why)),
        (groups, _) => groups,
    };
    access.check_approve_by(approver.sign_in())?;
    let groups = match (groups, request.state) {
        (Ok(groups), State::Pending) => groups,
        _ => return Err(Refused::NotPending(request.state)),
    };
    incident::check_approvable(request)?;
    let narrowed = narrowed?;
    let requester = config.person(&request.requester);
    let requester = requester.zip(judged);
    let (requester, judged) = requester.ok_or(Refused::NoLongerAllowed(NoLonger::Requester))?;
    if !has_submitted(&requester, request) {
        return Err(Refused::NoLongerAllowed(NoLonger::Credential));
    }
    let asked = access.check_ask(&requester, &narrowed.scopes, narrowed.duration_s);
    let audience = asked.map_err(|why| match why {
        // Not that it is allowed no longer: that it is not known.
        access::Refused::MembershipUnknown => judged.explain(why),
        why => Refused::NoLongerAllowed(NoLonger::Rules(why)),
    })?;
    if audience != request.audience {
        return Err(Refused::NoLongerAllowed(NoLonger::Audience));
    }
    match approval.digest {
        None => return Err(Refused::DigestRequired(Box::new(request.clone()))),
        Some(digest) if digest != request.digest() => {
            return Err(Refused::RequestChanged(Box::new(request.clone())));
        }
        Some(_) => {}
    }
    // At last: a person who has signed in again is not refused for something else then.
    let (what, sign_in) = (SignInFor::Approval, approver.sign_in());
    let sign_in = access.check_sign_in(what, sign_in, now, &narrowed.scopes)?;
    answers.push(Answer { person: name, groups: &groups });
    let is_last = needed.needs.are_met(&answers);
    Ok((sign_in, Yes { groups, is_last }))
}
