//! A requester takes the grant of an emergency alone, in the transaction that takes the request: what is in the way of that was
//! judged under its lock. The people who could have approved it are told at once.

use std::sync::Arc;

use breakglass_api::events::EventType;
use breakglass_api::evidence::Action;
use serde_json::{Value, json};

use super::Refused;
use crate::access::JudgedSignIn;
use crate::app::App;
use crate::clock::Moment;
use crate::config::Config;
use crate::store::{Changed, IncidentCheckRow, NewGrant, Request};

/// Makes both last: the submission, with what the trail says of it, and the grant.
pub(super) async fn take_alone(
    app: &App,
    (config, configuration): (&Config, Option<&Arc<str>>),
    now: Moment,
    (submitted, detail): (Changed, Value),
    sign_in: &JudgedSignIn,
) -> Result<Request, Refused> {
    let who = submitted.request().requester.clone();
    let words = (Action::Submit, EventType::Submitted);
    let (change, request) = submitted.record(now, &who, words, detail).await?;
    let jti = app.randomness().id("grant", now);
    let expires_at = now.seconds().saturating_add(request.duration_s);
    let activate_by = now.seconds().saturating_add(config.activate_within).min(expires_at);
    let grant = NewGrant { jti: &jti, scopes: &request.scopes, expires_at, activate_by };
    let taken = change.take_emergency(now, &request, &grant).await?;
    let needs = request.needs.iter().flat_map(|fixed| fixed.needs.iter());
    let rules: Vec<&String> = needs.filter_map(|need| need.rule.as_ref()).collect();
    let mut detail = json!({
        "digest": request.digest(), "scope_digests": request.digests_of(&request.scopes),
        "duration_s": request.duration_s, "scopes": request.scopes, "rules": rules,
    });
    if let Some(detail) = detail.as_object_mut() {
        detail.extend(configuration.map(|digest| ("configuration".to_owned(), json!(&**digest))));
        let check = request.incident_check.as_ref().map(IncidentCheckRow::on_trail);
        detail.extend(check.map(|check| ("incident_check".to_owned(), check)));
        detail.extend(sign_in.on_trail());
    }
    let words = (Action::TakeEmergency, EventType::EmergencyTaken);
    let request = taken.commit(now, &who, words, detail).await?;
    tracing::warn!(
        request = request.id,
        grant = request.jti,
        requester = request.requester,
        scopes = ?request.scopes,
        "taken alone in an emergency"
    );
    Ok(request)
}
