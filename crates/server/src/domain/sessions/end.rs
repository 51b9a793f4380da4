//! A session is ended before its time: by its owner, by an administrator, by a person who has a token of it, or because a
//! code or a refresh token was used a second time.

use breakglass_api::trail::ServiceAction;
use serde_json::{Value, json};

use crate::access::Access;
use crate::app::App;
use crate::auth::live_sessions::SessionChange;
use crate::clock::Moment;
use crate::config::Person;
use crate::domain::Refused;
use crate::session_token::{RefreshToken, sha256};
use crate::store::{
    Change, Happened, SERVICE, ServiceAct, Session, SessionEnd, SessionState, StoreError,
};

/// Ends the session with this id, and returns it as it is then; one that is over already stays as it is.
///
/// # Errors
/// [`Refused`] if there is none that is known to `who`, or `who` may not.
pub async fn end(
    app: &App,
    who: &Person,
    now: Moment,
    id: &str,
    source: Option<&str>,
) -> Result<Session, Refused> {
    let session = app.store().session(id).await?.ok_or(Refused::SessionUnknown)?;
    let why = if session.account == who.name {
        SessionEnd::SignedOut
    } else {
        Access::of(&app.config()).check_administrator(who)?;
        SessionEnd::Administrator
    };
    end_by(app, &who.name, now, id, why, source).await
}

/// Ends the session of this access token or refresh token, of any age: to have it is the right to end it, and without `who`
/// it is the session's own client that does so. Returns nothing where it is of no session here: that costs one look into
/// the database or memory, and leaves nothing behind.
///
/// # Errors
/// [`Refused`] if the database does not do it.
pub async fn end_by_token(
    app: &App,
    who: Option<&Person>,
    now: Moment,
    token: &str,
    source: Option<&str>,
) -> Result<Option<Session>, Refused> {
    let found = match RefreshToken::parse(token) {
        Some(token) => {
            let session = app.store().session_by_handle(&token.handle_sha256()).await?;
            session.map(|one| (one.id, one.account))
        }
        None => app
            .sessions()
            .find(&sha256(token), now)
            .map(|found| (found.session.to_string(), found.account.to_string())),
    };
    let Some((id, account)) = found else { return Ok(None) };
    let actor = who.map_or(account.as_str(), |who| &who.name);
    end_by(app, actor, now, &id, SessionEnd::RevokedByToken, source).await.map(Some)
}

/// Ends a session because the identity provider said that its session there is over.
///
/// # Errors
/// [`StoreError`] if the database does not do it.
pub(in crate::domain) async fn end_by_provider(
    app: &App,
    now: Moment,
    id: &str,
) -> Result<(), StoreError> {
    let alone = app.sessions().change().await;
    let change = app.store().change().await?;
    end_one(&alone, change, now, id, (SERVICE, SessionEnd::Provider), None).await?;
    app.waits().wake_all();
    Ok(())
}

async fn end_by(
    app: &App,
    actor: &str,
    now: Moment,
    id: &str,
    why: SessionEnd,
    source: Option<&str>,
) -> Result<Session, Refused> {
    let alone = app.sessions().change().await;
    let change = app.store().change().await?;
    let session = end_one(&alone, change, now, id, (actor, why), source).await?;
    // Who waits with it for something gets its answer.
    app.waits().wake_all();
    session.ok_or(Refused::SessionUnknown)
}

/// Ends the sessions of accounts that the configuration as it is now does not know, such as those of an identity provider that
/// was taken out: they would live again if it were put back. Returns how many these were.
///
/// # Errors
/// [`StoreError`] if some of it is not done. What was done stays so; the next call does the rest.
pub async fn end_unknown(app: &App) -> Result<usize, StoreError> {
    let now = app.now();
    let is_known = |account: &str| app.config().people.account(account).is_some();
    let mut count = 0_usize;
    for session in app.store().live_sessions(now).await? {
        if is_known(&session.account) {
            continue;
        }
        let alone = app.sessions().change().await;
        let change = app.store().change().await?;
        let by = (SERVICE, SessionEnd::ProviderRemoved);
        end_one(&alone, change, now, &session.id, by, None).await?;
        count = count.saturating_add(1);
    }
    if count > 0 {
        app.waits().wake_all();
    }
    Ok(count)
}

/// Ends the session of which a code or a refresh token was used a second time.
pub(super) async fn end_reused(
    alone: &SessionChange<'_>,
    change: Change,
    now: Moment,
    id: &str,
    why: SessionEnd,
    source: Option<&str>,
) -> Result<(), StoreError> {
    let session = end_one(alone, change, now, id, (SERVICE, why), source).await?;
    let account = session.map(|session| session.account);
    tracing::warn!(
        session = id,
        account,
        source,
        reason = why.word(),
        "session ended: two clients have it"
    );
    Ok(())
}

async fn end_one(
    alone: &SessionChange<'_>,
    mut change: Change,
    now: Moment,
    id: &str,
    (actor, why): (&str, SessionEnd),
    source: Option<&str>,
) -> Result<Option<Session>, StoreError> {
    let session = change.session(id).await?;
    let Some(session) = session.filter(|one| one.state(now) != SessionState::Ended) else {
        let session = change.session(id).await?;
        change.abandon().await?;
        return Ok(session);
    };
    change.end_session(now, id, actor, why).await?;
    let ended_session = change.session(id).await?;
    let detail = ended(&session, why, source);
    let act = ServiceAct { actor, action: ServiceAction::SessionEnded, detail: &detail };
    let recorded = change.record(now, &[Happened::Service(act)]).await?;
    alone.end(id);
    recorded.commit().await?;
    tracing::info!(
        session = id,
        account = session.account,
        actor,
        reason = why.word(),
        "session ended"
    );
    Ok(ended_session)
}

/// What the trail says of the end of a session.
pub(super) fn ended(session: &Session, why: SessionEnd, source: Option<&str>) -> Value {
    json!({
        "session": session.id, "account": session.account, "reason": why.word(), "source": source,
    })
}
