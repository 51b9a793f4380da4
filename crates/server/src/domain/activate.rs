//! The requester takes a token of the grant: the first one activates it, and further ones are always of the same `jti` and
//! the same end. It takes the credential that submitted the request: who has another one under that name, since yesterday
//! or by mistake, asks again. A token that was issued stays good when the credential is replaced.
//! How the requester signed in is judged each time, and stands in the token.

use breakglass_api::events::EventType;
use breakglass_api::evidence::Action;
use breakglass_api::request::OldGroups;
use breakglass_types::claims::Claims;
use serde_json::json;

use super::judged::{JudgedActor, note};
use super::owe_reviews;
use super::owe_rotations::of_grant;
use super::waited::waited;
use super::{NoLonger, OnlyRequester, Refused, TrustedMoment, find, locked};
use crate::access::{Access, JudgedSignIn};
use crate::app::App;
use crate::auth::identity::has_submitted;
use crate::clock::Moment;
use crate::config::{Person, SignInFor};
use crate::granted::Granted;
use crate::issuer::Minted;
use crate::needed;
use crate::request_metrics::Waited;
use crate::store::Request;

/// A token, and what it is of.
#[derive(Debug)]
pub struct TokenTaken {
    /// The token.
    pub minted: Minted,
    /// What it says.
    pub claims: Claims,
    /// The request.
    pub request: Request,
    /// Where the holder's groups are those of an old answer.
    pub old_groups: Option<OldGroups>,
}

/// Issues a token of an approved grant to its holder.
///
/// # Errors
/// [`Refused`] if it is not `who`'s, or does not hold.
pub async fn take_token(
    app: &App,
    who: &JudgedActor,
    now: TrustedMoment,
    id: &str,
) -> Result<TokenTaken, Refused> {
    let now = now.moment();
    let request = find::request(app, now, id).await?;
    let sign_in = check(app, who, now, &request)?;
    // What a grant is never changes, nor how its holder signed in for this: it is signed before the lock is taken.
    let claims = claims(app, now, who.person(), &sign_in, &request)?;
    let minted =
        app.issuer().mint(&claims).map_err(|error| Refused::Internal(error.to_string()))?;
    let again = |request: &Request| check(app, who, now, request).map(|_| ());
    let (mut change, request) = locked::under(app, now, id, again).await?;
    if let Some(cause) = change.unproven(&request).await? {
        tracing::error!(
            request = id,
            grant = claims.jti,
            %cause,
            "no token: the trail does not prove the approval; the database was changed, or a key of the trail is missing"
        );
        return Err(locked::refuse(change, cause.into()).await);
    }
    // Of an approval that is proven: who approved may have lost the right to since then.
    if request.activated_at.is_none() && !needed::is_still_approved(&app.config(), &request) {
        let what = match request.is_taken_alone() {
            true => NoLonger::Emergency,
            false => NoLonger::Approvers,
        };
        return Err(locked::refuse(change, Refused::NoLongerAllowed(what)).await);
    }
    let (issued, event) = match request.activated_at {
        None => {
            // From now on it is used, and its end owes what it touches, and its review.
            change.open_rotations(&request, &of_grant(app, now, &request)).await?;
            if let Some(review) = owe_reviews::of_grant(app, now, &request) {
                change.open_review(&request, &review).await?;
            }
            (change.activate(now, &request).await?, EventType::Activated)
        }
        Some(_) => (change.changed(request).await?, EventType::TokenIssued),
    };
    let (words, mut detail) = ((Action::IssueToken, event), json!({ "kid": minted.kid }));
    if let Some(detail) = detail.as_object_mut() {
        detail.extend(sign_in.on_trail());
    }
    // The first token alone is judged by them.
    let old_groups = who.old_groups().filter(|_| event == EventType::Activated);
    note(&mut detail, old_groups.as_slice());
    let request = issued.commit(now, &who.person().name, words, detail).await?;
    app.changed(Action::IssueToken, id);
    if event == EventType::Activated {
        waited(app, now, &request, Waited::Activation);
    }
    tracing::info!(request = id, grant = claims.jti, kid = minted.kid, "token issued");
    Ok(TokenTaken { minted, claims, request, old_groups })
}

fn check(
    app: &App,
    who: &JudgedActor,
    now: Moment,
    request: &Request,
) -> Result<JudgedSignIn, Refused> {
    let person = who.person();
    if request.requester != person.name {
        return Err(Refused::NotTheRequester(OnlyRequester::TakeToken));
    }
    if !has_submitted(person, request) {
        return Err(Refused::CredentialChanged);
    }
    if !request.holds() {
        return Err(Refused::NoGrant(Box::new(request.clone())));
    }
    if !request.has_begun(now) {
        return Err(Refused::NotBegun(request.approved_at.unwrap_or_default()));
    }
    let config = app.config();
    let (access, scopes) = (Access::of(&config), request.held_scopes());
    if request.activated_at.is_none() {
        access.check_activate(person, scopes).map_err(|why| who.explain(why))?;
    }
    needed::check_sign_in_of_emergency(&config, request, who.sign_in(), now)?;
    Ok(access.check_sign_in(SignInFor::Activation, who.sign_in(), now, scopes)?)
}

fn claims(
    app: &App,
    now: Moment,
    who: &Person,
    sign_in: &JudgedSignIn,
    request: &Request,
) -> Result<Claims, Refused> {
    let (Some(jti), Some(expires_at)) = (&request.jti, request.expires_at) else {
        return Err(Refused::NoGrant(Box::new(request.clone())));
    };
    let instant =
        |seconds: i64| u64::try_from(seconds).map_err(|error| Refused::Internal(error.to_string()));
    // What was approved, less what the person has lost since.
    let kept = |then: &[String], now: &[String]| {
        then.iter().filter(|name| now.contains(name)).cloned().collect()
    };
    let scopes = request.held_scopes();
    Ok(Claims::from(Granted {
        issuer: app.issuer().name(),
        holder: &request.requester,
        roles: kept(&request.requester_roles, &who.roles),
        groups: kept(&request.requester_groups, &who.groups),
        audience: &request.audience,
        jti,
        // A filter honours no token before its `iat`, and so no grant before its approval.
        begins: instant(now.seconds().max(request.approved_at.unwrap_or_default()))?,
        ends: instant(expires_at)?,
        scopes,
        digests: &request.digests_of(scopes),
        reason: &request.reason,
        incident: request.incident.as_deref(),
        emergency: request.emergency,
        basis: request.basis,
        approvers: request.approvers().map(str::to_owned).collect(),
        factor: sign_in.factor(),
    }))
}
