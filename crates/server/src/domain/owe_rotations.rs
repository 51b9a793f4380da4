//! What used grants touched is rotated: each hook that a scope of the grant names is called once the grant has ended.
//!
//! 1. A grant is used from its first token on: the same transaction opens its rotations, under the names that the configuration
//!    has for the hooks then. A hook that leaves the configuration later is owed all the same, and not called.
//! 2. A rotation is owed when the grant has ended, by whatever end: at once where it was revoked, and otherwise as much later
//!    than its end as a filter's clock may be late.
//! 3. A call that is not taken is tried again for [`retry_for`](crate::config::RotationHook::retry_for); then it has failed, and
//!    a person rotates by hand or has it called again ([`super::rotations`]).

use std::time::Duration;

use breakglass_api::events::EventType;
use breakglass_api::evidence::Action;
use serde_json::{Value, json};

use super::grant_end::grant_end;
use crate::app::App;
use crate::clock::Moment;
use crate::config::{Config, RotationHook};
use crate::outbox::{backoff, opens};
use crate::sinks::notice::{Asked, ToApprove};
use crate::sinks::{Notice, Outcome};
use crate::store::{Happened, NewRotation, OfRequest, Request, Rotation, SERVICE, StoreError};

/// The most rotations that one step owes.
const STEP: i64 = 500;

/// The rotations that this grant will owe: one for each hook.
pub(super) fn of_grant(app: &App, now: Moment, request: &Request) -> Vec<NewRotation> {
    let config = app.config();
    let mut rotations: Vec<NewRotation> = Vec::new();
    for name in request.held_scopes() {
        let Some(hook) = hook_of(&config, name) else { continue };
        match rotations.iter_mut().find(|one| one.hook == hook) {
            Some(one) => one.scopes.push(name.clone()),
            None => rotations.push(NewRotation {
                id: app.randomness().id("rot", now),
                hook: hook.to_owned(),
                scopes: vec![name.clone()],
            }),
        }
    }
    rotations
}

fn hook_of<'a>(config: &'a Config, scope: &str) -> Option<&'a str> {
    config.scope(scope)?.rotation.as_deref()
}

/// Notes what is owed of the grants that have ended by now, each once, at most so many that no other change waits for long.
/// Returns how many.
///
/// # Errors
/// [`StoreError`] if the database does not do all of it: then none of it is done.
pub async fn owe_rotations(app: &App, now: Moment) -> Result<usize, StoreError> {
    // Nothing to do, most of the time: that takes no lock.
    if !app.store().has_rotation_to_owe(now).await? {
        return Ok(0);
    }
    let mut change = app.store().change().await?;
    let mut owed = Vec::new();
    // Under the lock: another process may have noted them.
    for rotation in change.rotations_to_owe(now, STEP).await? {
        let Some(request) = change.request(now, &rotation.request_id).await? else { continue };
        change.owe_rotation(now, &rotation.id).await?;
        owed.push((rotation, request));
    }
    if owed.is_empty() {
        change.abandon().await?;
        return Ok(0);
    }
    let words = (Action::RotationOwed, EventType::RotationOwed);
    let happened: Vec<Happened<'_>> = owed
        .iter()
        .map(|(rotation, request)| {
            Happened::Request(OfRequest::new(SERVICE, words, request, said(rotation, request)))
        })
        .collect();
    change.record(now, &happened).await?.commit().await?;
    for (rotation, request) in &owed {
        app.changed(Action::RotationOwed, &request.id);
        tracing::info!(
            rotation = rotation.id,
            grant = rotation.jti,
            hook = rotation.hook,
            "a rotation is owed"
        );
    }
    Ok(owed.len())
}

/// What is said of a rotation whose grant has ended.
fn said(rotation: &Rotation, request: &Request) -> Value {
    json!({
        "rotation": rotation.id, "hook": rotation.hook, "scopes": rotation.scopes,
        "ended": grant_end(request),
    })
}

/// What the hook is sent: as sinks are told of an event, under the id of the rotation, which is the same for each call.
///
/// # Errors
/// [`StoreError`] if the database cannot tell.
pub async fn notice_of_rotation(
    app: &App,
    now: Moment,
    rotation: &Rotation,
) -> Result<Option<Notice>, StoreError> {
    let Some(request) = app.store().request(now, &rotation.request_id).await? else {
        return Ok(None);
    };
    let data = said(rotation, &request);
    Ok(Some(Notice {
        id: rotation.id.clone(),
        time_ms: rotation.owed_at_ms.unwrap_or_default(),
        kind: EventType::RotationOwed.word().to_owned(),
        actor: SERVICE.to_owned(),
        request: Some(request.id),
        audience: Some(request.audience),
        subject: Some(request.requester.clone()),
        incident: request.incident,
        grant: Some(rotation.jti.clone()),
        data,
        asked: Some(Asked {
            requester: request.requester,
            opens: opens(app, &request.scopes),
            scopes: request.scopes,
            reason: request.reason,
            duration_s: request.duration_s,
            emergency: request.emergency,
        }),
        to_approve: ToApprove::default(),
    }))
}

/// Writes down what came of a call. Of a rotation that a person closed meanwhile nothing changes.
///
/// # Errors
/// [`StoreError`] if the database does not do it: then the hook is called again, with the same id.
pub async fn settle_rotation(
    app: &App,
    now: Moment,
    (rotation, hook): (&Rotation, &RotationHook),
    outcome: &Outcome,
) -> Result<(), StoreError> {
    let is_taken = matches!(outcome, Outcome::Delivered { .. });
    let after = match outcome {
        Outcome::Failed { after, .. } => *after,
        _ => None,
    };
    let since = rotation.tried_since_ms.unwrap_or_else(|| now.millis());
    let ends = since.saturating_add(millis(hook.retry_for));
    if !is_taken && now.millis() < ends {
        let [chance] = app.randomness().bytes();
        let wait = millis(backoff::wait(rotation.attempts, chance, after));
        // The last call is made when its time is over, and no later.
        let next = now.millis().saturating_add(wait).min(ends);
        return app.store().postpone_rotation(rotation, next, outcome.words()).await;
    }
    end(app, now, rotation, is_taken, outcome.words()).await
}

/// The hook took the call, or is not called any more.
async fn end(
    app: &App,
    now: Moment,
    rotation: &Rotation,
    is_taken: bool,
    outcome: &str,
) -> Result<(), StoreError> {
    let mut change = app.store().change().await?;
    let known = change.rotation(&rotation.id).await?;
    let request = change.request(now, &rotation.request_id).await?;
    let is_open = |one: &Rotation| {
        one.done_at_ms.is_none()
            // A call of before a person had it called again does not end that.
            && (is_taken || one.failed_at_ms.is_none() && one.tried_since_ms == rotation.tried_since_ms)
    };
    let (Some(known), Some(request)) = (known.filter(is_open), request) else {
        return change.abandon().await;
    };
    let words = match is_taken {
        true => {
            change.rotation_called(now, &known.id, outcome).await?;
            (Action::RotationDone, EventType::RotationDone)
        }
        false => {
            change.rotation_failed(now, &known.id, outcome).await?;
            (Action::RotationFailed, EventType::RotationFailed)
        }
    };
    let detail = json!({
        "rotation": known.id, "hook": known.hook, "scopes": known.scopes, "attempts": known.attempts, "outcome": outcome,
    });
    let happened = Happened::Request(OfRequest::new(SERVICE, words, &request, detail));
    change.record(now, &[happened]).await?.commit().await?;
    app.changed(words.0, &request.id);
    let (rotation, hook) = (&known.id, &known.hook);
    match is_taken {
        true => tracing::info!(rotation, hook, "rotated: the hook took the call"),
        false => tracing::error!(
            rotation,
            hook,
            cause = outcome,
            "a rotation has failed: `breakglass rotations retry` calls the hook again, `breakglass rotations done` says that it \
             was rotated by hand"
        ),
    }
    Ok(())
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
