//! Incidents of requests that go on are checked again: where the check is owed, and with `until_closed` until the request or
//! its grant is over. Each answer that differs from the one before is an event; a grant whose incident is closed ends.

use std::collections::BTreeMap;

use breakglass_api::events::EventType;
use breakglass_api::request::State;
use futures_util::{StreamExt as _, stream};
use serde_json::json;

use super::incident_step::{Step, step};
use crate::app::App;
use crate::clock::Moment;
use crate::config::{Config, IncidentCheck};
use crate::incidents::{Asker, Checked, Said, judge};
use crate::limits::INCIDENT_RECHECKS_AT_ONCE;
use crate::request_metrics::RevokedBy;
use crate::store::{
    Change, DueCheck, Happened, IncidentCheckRow, Noticed, Request, Revocations, SERVICE,
    StoreError,
};

/// The most checks of one step.
const STEP: i64 = 200;

/// Makes the checks that are due; an incident that several requests name is asked for once. Returns of how many requests
/// something was written down.
///
/// # Errors
/// [`StoreError`] if the database does not do all of it: the next step does what is left.
pub async fn check_incidents(app: &App, now: Moment) -> Result<usize, StoreError> {
    let config = app.config();
    let Some(check) = &config.incident_check else { return Ok(0) };
    let mut by_incident: BTreeMap<String, Vec<(DueCheck, Request)>> = BTreeMap::new();
    let mut written = 0_usize;
    for due in app.store().due_incident_checks(now, STEP).await? {
        let request = app.store().request(now, &due.request_id).await?;
        let Some(request) = request else { continue };
        match request.incident.clone().filter(|_| goes_on(&request)) {
            Some(incident) => by_incident.entry(incident).or_default().push((due, request)),
            None => written = written.saturating_add(settle(app, check, &due, None).await?),
        }
    }
    let asked = by_incident.into_iter().map(|(incident, requests)| async move {
        let said = match check.url.of(&incident) {
            Ok(url) => app.incidents().ask(check, url).await.ok(),
            // The template was another one when it was submitted.
            Err(_) => Some(Said::NoSuchIncident),
        };
        (said, requests)
    });
    let mut asked = stream::iter(asked).buffer_unordered(INCIDENT_RECHECKS_AT_ONCE);
    while let Some((said, requests)) = asked.next().await {
        for (due, request) in requests {
            let said = said.as_ref().map(|said| judged(&config, check, &request, said));
            written = written.saturating_add(settle(app, check, &due, said).await?);
        }
    }
    Ok(written)
}

/// Whether it matters what becomes of the incident.
fn goes_on(request: &Request) -> bool {
    request.state == State::Pending || request.holds()
}

/// The answer, as it is of this requester: the groups are those of the submission.
fn judged(config: &Config, check: &IncidentCheck, request: &Request, said: &Said) -> Checked {
    let mail = config.people.address(&request.requester).map(|address| address.to_string());
    let asker = Asker {
        name: &request.requester,
        mail: mail.as_deref(),
        groups: &request.requester_groups,
    };
    judge(check, asker, said)
}

/// Writes down what came of a check, and what follows, unless another process has made it meanwhile.
async fn settle(
    app: &App,
    check: &IncidentCheck,
    due: &DueCheck,
    said: Option<Checked>,
) -> Result<usize, StoreError> {
    let now = app.now();
    let (mut change, request) = app.store().change_of(now, &due.request_id).await?;
    let before = request.as_ref().and_then(|request| request.incident_check.clone());
    let before = before.filter(|row| row.next_at == Some(due.next_at));
    let (Some(request), Some(before)) = (request, before) else {
        change.abandon().await?;
        return Ok(0);
    };
    if !goes_on(&request) {
        let row = IncidentCheckRow { next_at: None, ..before };
        change.note_incident_check(&request.id, &row).await?;
        change.record(now, &[]).await?.commit().await?;
        return Ok(1);
    }
    let step = step(check, &before, said.as_ref(), now, request.holds());
    change.note_incident_check(&request.id, &step.row).await?;
    commit(app, change, now, &request, step).await?;
    Ok(1)
}

async fn commit(
    app: &App,
    mut change: Change,
    now: Moment,
    request: &Request,
    step: Step,
) -> Result<(), StoreError> {
    let mut happened = Vec::new();
    if step.is_news {
        let (event, data) = (EventType::IncidentChecked, step.row.on_trail());
        happened.push(Happened::Noticed(Noticed { event, request, data }));
    }
    let mut revoked = 0_usize;
    if let (Some(reason), Some(jti)) = (step.ends, &request.jti) {
        let reason = reason.word();
        let done = change.revoke(now, &[jti.to_owned()], SERVICE, reason).await?;
        revoked = done.revoked.len();
        if revoked > 0 {
            let detail = json!({ "reason": reason });
            let (after, last) = (done.after, done.epoch);
            let revocations = Revocations { actor: SERVICE, after, last, detail };
            happened.push(Happened::Revocations(revocations));
        }
    }
    change.record(now, &happened).await?.commit().await?;
    let (id, verdict) = (&request.id, step.row.verdict.word());
    if step.is_news {
        app.noted();
        tracing::info!(request = id, verdict, "the incident was checked");
    }
    if revoked > 0 {
        app.revoked(RevokedBy::IncidentOver, revoked).await;
        let requester = &request.requester;
        tracing::warn!(request = id, requester, verdict, "a grant ended with its incident");
    }
    Ok(())
}
