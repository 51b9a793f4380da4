//! Requests as JSON.

use breakglass_api::emergency::Emergency;
use breakglass_api::incident::IncidentCheck;
use breakglass_api::request::{self as api, Approval, Extended, Grant, Refusal, Request as View};
use breakglass_api::{Instant, Word};

use crate::access::Approvers;
use crate::access::rules::{Filled, FixedEmergency, escalations};
use crate::app::App;
use crate::clock::Moment;
use crate::config::Config;
use crate::duration;
use crate::needed;
use crate::outbox::told_of;
use crate::problem::Problem;
use crate::store::{ApprovalRow, IncidentCheckRow, Remark, Request, State};

/// A request with what each of its scopes opens.
pub(super) async fn view_in_full(app: &App, request: Request) -> Result<View, Problem> {
    let configuration = match request.jti {
        Some(_) => app.store().configuration_of_grant(&request.id).await?,
        None => None,
    };
    view_with(app, request, configuration).await
}

/// The same, of a grant that was made by the configuration with this digest.
pub(super) async fn view_with(
    app: &App,
    request: Request,
    configuration: Option<String>,
) -> Result<View, Problem> {
    let rules = super::opens::opens(app, &request).await?;
    let discussion = match request.remarks {
        0 => Vec::new(),
        _ => app.store().discussion(&request.id).await?.into_iter().map(remark).collect(),
    };
    let extends = match &request.extends {
        None => None,
        Some(id) => app.store().request(app.now(), id).await?.map(|parent| Extended {
            grant: grant(&parent),
            id: parent.id,
            reason: Some(parent.reason),
        }),
    };
    let rotations = super::rotations::of_request(app, &request).await?;
    let review = super::review_of_request::of_request(app, &request).await?;
    let now = app.now();
    let approvers = approvers(&app.config(), &request, now);
    let told = match &approvers {
        Some(approvers) => Some(told_of(app, &request, approvers).await?),
        None => None,
    };
    let mut view = View {
        rules,
        discussion,
        extends,
        told,
        rotations,
        review,
        ..with_approvers(&app.config(), request, now, approvers)
    };
    if let Some(grant) = &mut view.grant {
        grant.configuration = configuration;
    }
    Ok(view)
}

fn remark(remark: Remark) -> api::Remark {
    let at = Instant::from_seconds(remark.at_ms.div_euclid(1000));
    api::Remark { by: remark.author, at, kind: Word::read(remark.kind), text: remark.text }
}

/// A request as its requester and its approvers see it in a list.
pub(super) fn view(config: &Config, request: Request, now: Moment) -> View {
    let approvers = approvers(config, &request, now);
    with_approvers(config, request, now, approvers)
}

/// Whose approval counts; while it is pending.
fn approvers(config: &Config, request: &Request, now: Moment) -> Option<Approvers> {
    (request.state == State::Pending).then(|| needed::approvers(config, request, now))
}

/// What it needs, and who has answered that; while it is pending.
fn needs(config: &Config, request: &Request, now: Moment) -> Vec<api::Need> {
    if request.state != State::Pending {
        return Vec::new();
    }
    let needed = needed::of_request(config, request, now);
    let answers = needed.answers();
    let filled = needed.needs.filled(&answers);
    let later = |filled: &Filled<'_>| match filled.is_met() {
        true => Vec::new(),
        false => escalations_after(config, filled, request, now),
    };
    filled.iter().map(|one| api::Need { escalates: later(one), ..need(one) }).collect()
}

/// To whom it is escalated later, before it lapses.
fn escalations_after(
    config: &Config,
    filled: &Filled<'_>,
    request: &Request,
    now: Moment,
) -> Vec<api::NeedEscalation> {
    let until = Moment::from_seconds(request.lapses_at);
    let entries = escalations(config, filled.need).iter().filter_map(|entry| {
        let at = entry.reached_at(request.submitted_at, until).filter(|at| *at > now)?;
        Some(api::NeedEscalation { to: entry.to.clone(), at: Instant::from_seconds(at.seconds()) })
    });
    entries.collect()
}

fn need(filled: &Filled<'_>) -> api::Need {
    let need = filled.need;
    let stages = need.stages.iter().zip(&filled.stages).map(|(stage, people)| api::NeedStage {
        from: stage.from.clone(),
        count: u64::try_from(stage.count).unwrap_or(u64::MAX),
        approved_by: people.iter().map(|&name| name.to_owned()).collect(),
    });
    api::Need {
        rule: need.rule.clone(),
        scopes: need.scopes.clone(),
        in_order: need.in_order,
        stages: stages.collect(),
        escalates: Vec::new(),
    }
}

fn with_approvers(
    config: &Config,
    request: Request,
    now: Moment,
    approvers: Option<Approvers>,
) -> View {
    let needs = needs(config, &request, now);
    let approvals = match request.jti {
        None => request.approvals.iter().map(approval).collect(),
        Some(_) => Vec::new(),
    };
    let approvers = approvers.and_then(Approvers::into_names);
    let grant = grant(&request);
    let digest = request.digest();
    let in_emergency = request.needs.as_ref().and_then(|fixed| fixed.emergency.as_ref());
    let in_emergency = in_emergency.map(emergency);
    let denied = refusal(request.denied_by, request.denied_at, request.denial_reason);
    View {
        id: request.id,
        state: request.state.into(),
        requester: request.requester,
        audience: request.audience,
        scopes: request.scopes,
        reason: request.reason,
        incident: request.incident,
        incident_check: request.incident_check.map(incident_check),
        emergency: request.emergency,
        in_emergency,
        duration: duration::format(request.duration_s),
        digest: Some(digest),
        rules: Vec::new(),
        extends: request.extends.map(|id| Extended { id, reason: None, grant: None }),
        discussion: Vec::new(),
        submitted_at: Instant::from_seconds(request.submitted_at),
        lapses_at: Instant::from_seconds(request.lapses_at),
        approvers,
        needs,
        approvals,
        told: None,
        rotations: Vec::new(),
        review: None,
        grant,
        denied,
        cancelled_at: request.cancelled_at.map(Instant::from_seconds),
        old_groups: Vec::new(),
    }
}

fn grant(request: &Request) -> Option<Grant> {
    let revoked_at = request.revoked_at_ms.map(|millis| millis.div_euclid(1000));
    Some(Grant {
        id: request.jti.clone()?,
        approved_by: request.approvers().last().map(str::to_owned),
        basis: Some(request.basis.into()),
        approved_at: Instant::from_seconds(request.approved_at?),
        expires_at: Instant::from_seconds(request.expires_at?),
        scopes: request.held_scopes().to_vec(),
        activate_by: request.activate_by.map(Instant::from_seconds),
        activated_at: request.activated_at.map(Instant::from_seconds),
        approvals: request.approvals.iter().map(approval).collect(),
        configuration: None,
        revoked: refusal(request.revoked_by.clone(), revoked_at, request.revocation_reason.clone()),
    })
}

fn emergency(fixed: &FixedEmergency) -> Emergency {
    let obstacles = fixed.obstacles.iter().map(|one| Word::Known(*one)).collect();
    Emergency { alone: fixed.is_alone(), obstacles }
}

fn incident_check(row: IncidentCheckRow) -> IncidentCheck {
    IncidentCheck {
        incident_unchecked: row.is_owed(),
        verdict: row.verdict.into(),
        checked_at: Instant::from_seconds(row.at_ms.div_euclid(1000)),
        state: row.found.state,
        own_incident: row.own_incident,
    }
}

fn approval(row: &ApprovalRow) -> Approval {
    Approval {
        by: row.approver.clone(),
        at: Instant::from_seconds(row.approved_at_ms.div_euclid(1000)),
        digest: row.digest.clone(),
        note: row.note.clone(),
        scopes: row.scopes.clone(),
        duration: row.duration_s.map(duration::format),
    }
}

fn refusal(by: Option<String>, at: Option<i64>, reason: Option<String>) -> Option<Refusal> {
    Some(Refusal { by: by?, at: Instant::from_seconds(at?), reason: reason? })
}
