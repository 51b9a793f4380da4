//! A grant is ended: by its holder, who gives it back, or by another person who may. A second time tells of the first. A
//! grant that is over by our clock is revoked all the same: the clock may be wrong.

use serde_json::json;

use super::{Refused, find, held};
use crate::access::Access;
use crate::app::App;
use crate::clock::Moment;
use crate::config::Person;
use crate::request_metrics::RevokedBy;
use crate::store::{Happened, Request, Revocations, Revoked, RevokedStep};

/// How a grant was ended.
#[derive(Debug)]
pub struct Ending {
    /// The revocation, which may be an earlier one.
    pub revoked: Revoked,
    /// Whether by our clock the grant had ended before.
    pub had_ended: bool,
    /// The request as it was.
    pub request: Request,
}

/// Ends a grant.
///
/// # Errors
/// [`Refused`] if there is none, or `who` may not.
pub async fn revoke(
    app: &App,
    who: &Person,
    now: Moment,
    jti: &str,
    reason: &str,
) -> Result<Ending, Refused> {
    let request = find::grant(app, now, jti).await?;
    Access::of(&app.config()).check_revoke(who, &held::grant(&request))?;
    end(app, who, now, request, jti, reason).await
}

/// Ends the grant of a token, as [`revoke`] does; of a token that has no grant here, nothing.
///
/// # Errors
/// [`Refused`] if `who` may not.
pub async fn revoke_by_token(
    app: &App,
    who: &Person,
    now: Moment,
    jti: &str,
    reason: &str,
) -> Result<Option<Ending>, Refused> {
    match revoke(app, who, now, jti, reason).await {
        Ok(ending) => Ok(Some(ending)),
        Err(Refused::GrantUnknown) => Ok(None),
        Err(refused) => Err(refused),
    }
}

/// What decides who may end it never changes: it is looked at once.
async fn end(
    app: &App,
    who: &Person,
    now: Moment,
    request: Request,
    jti: &str,
    reason: &str,
) -> Result<Ending, Refused> {
    let mut change = app.store().change().await?;
    if let Some(revoked) = change.revocation(jti).await? {
        change.abandon().await?;
        return Ok(Ending { revoked, had_ended: false, request });
    }
    let step = change.revoke(now, &[jti.to_owned()], &who.name, reason).await?;
    let revoked = change.revocation(jti).await?.ok_or(Refused::GrantUnknown)?;
    let mut detail = json!({ "reason": reason });
    let is_holder = request.requester == who.name;
    if let (Some(detail), true) = (detail.as_object_mut(), is_holder) {
        detail.insert("given_back".to_owned(), json!(true));
    }
    let RevokedStep { after, epoch: last, .. } = step;
    let revocations = Revocations { actor: &who.name, after, last, detail };
    change.record(now, &[Happened::Revocations(revocations)]).await?.commit().await?;
    let how = if is_holder { RevokedBy::Holder } else { RevokedBy::Person };
    app.revoked(how, 1).await;
    let had_ended = revoked.expires_at <= app.timekeeper().reading().latest().seconds();
    tracing::info!(grant = jti, actor = who.name, epoch = revoked.epoch, had_ended, "revoked");
    Ok(Ending { revoked, had_ended, request })
}
