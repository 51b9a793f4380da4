//! What people do about rotations: they see what is owed, say that it was rotated by hand, and have a hook called again.

use breakglass_api::events::EventType;
use breakglass_api::evidence::Action;
use breakglass_api::rotations::RotationState;
use serde_json::{Value, json};

use super::Refused;
use crate::access::Access;
use crate::app::App;
use crate::clock::Moment;
use crate::config::Person;
use crate::store::{Change, Happened, OfRequest, Request, Rotation, RotationFilter, StoreError};

/// The rotations that `who` may see: of their own grants, of scopes whose requests they see, and for auditors and
/// administrators all.
///
/// # Errors
/// [`Refused`] if the database cannot tell.
pub async fn rotations(
    app: &App,
    who: &Person,
    (state, after): (Option<RotationState>, Option<&str>),
    limit: i64,
) -> Result<Vec<Rotation>, Refused> {
    let config = app.config();
    let access = Access::of(&config);
    let sees_all = access.check_sees_deliveries(who).is_ok();
    let scopes = access.visible_scopes(who).into_iter().map(|scope| format!("scope {scope}"));
    let lists: Vec<String> = scopes.chain([format!("requester {}", who.name)]).collect();
    let lists = (!sees_all).then_some(lists.as_slice());
    Ok(app.store().rotations(RotationFilter { lists, state, after }, limit).await?)
}

/// Notes that `who` has rotated by hand what the grant touched.
///
/// # Errors
/// [`Refused`] if `who` may not, or the rotation is not owed.
pub async fn rotated_by_hand(
    app: &App,
    who: &Person,
    now: Moment,
    id: &str,
    note: &str,
) -> Result<Rotation, Refused> {
    let (mut change, rotation, request) = owed(app, who, now, id).await?;
    change.rotated_by_hand(now, id, (&who.name, note)).await?;
    let words = (Action::RotationDone, EventType::RotationDone);
    let detail = json!({
        "rotation": id, "hook": rotation.hook, "scopes": rotation.scopes, "note": note,
    });
    let rotation = record(app, change, now, who, (words, detail), &request, id).await?;
    tracing::info!(rotation = id, actor = who.name, "rotated by hand");
    Ok(rotation)
}

/// Lets the hook be called at once, and for as long as from the beginning.
///
/// # Errors
/// [`Refused`] if `who` may not, or the rotation is not owed.
pub async fn retry_rotation(
    app: &App,
    who: &Person,
    now: Moment,
    id: &str,
) -> Result<Rotation, Refused> {
    let (mut change, rotation, request) = owed(app, who, now, id).await?;
    change.retry_rotation(now, id).await?;
    let words = (Action::RotationRetried, EventType::RotationRetried);
    let detail = json!({ "rotation": id, "hook": rotation.hook, "scopes": rotation.scopes });
    let rotation = record(app, change, now, who, (words, detail), &request, id).await?;
    tracing::info!(rotation = id, actor = who.name, "the hook is called again");
    Ok(rotation)
}

/// A rotation that is owed, and its request, as they are and stay until the change ends.
async fn owed(
    app: &App,
    who: &Person,
    now: Moment,
    id: &str,
) -> Result<(Change, Rotation, Request), Refused> {
    // Before the lock, so that a refusal costs none.
    let known = app.store().rotation(id).await?.ok_or(Refused::RotationUnknown)?;
    let request = super::find::request(app, now, &known.request_id).await?;
    check(app, who, &request, &known)?;
    let mut change = app.store().change().await?;
    let rotation = match change.rotation(id).await {
        Ok(rotation) => rotation.ok_or(Refused::RotationUnknown),
        Err(error) => Err(error.into()),
    };
    match rotation.and_then(|one| check(app, who, &request, &one).map(|()| one)) {
        Ok(rotation) => Ok((change, rotation, request)),
        Err(refused) => Err(super::locked::refuse(change, refused).await),
    }
}

/// Who may never changes with what happens to a rotation; what it is does.
fn check(app: &App, who: &Person, request: &Request, rotation: &Rotation) -> Result<(), Refused> {
    Access::of(&app.config()).check_rotate(who, &request.requester, &rotation.scopes)?;
    match rotation.state() {
        RotationState::Owed | RotationState::Failed => Ok(()),
        other => Err(Refused::RotationNotOwed(other)),
    }
}

async fn record(
    app: &App,
    mut change: Change,
    now: Moment,
    who: &Person,
    (words, detail): ((Action, EventType), Value),
    request: &Request,
    id: &str,
) -> Result<Rotation, Refused> {
    let rotation = change.rotation(id).await?.ok_or(StoreError::RowsAffected(0))?;
    let happened = Happened::Request(OfRequest::new(&who.name, words, request, detail));
    change.record(now, &[happened]).await?.commit().await?;
    app.changed(words.0, &request.id);
    Ok(rotation)
}
