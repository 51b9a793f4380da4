//! `POST /v1/probes`: a challenge, to be sent to entrances; `POST /v1/probes/{id}/answers`: what they have answered, and
//! what that proves.
//!
//! 1. For auditors. A challenge is signed by a key that the proxies of an audience have. It opens nothing: it is no token, and has neither a subject nor a scope.
//! 2. Only the person who asked for it hears what its answers prove, and only until it is over.
//! 3. Both are on the trail of the service.
//! 4. What an answer does not prove at once may be proven by a report that is on its way: that is waited for.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use breakglass_api::probe::{
    Challenge, ProbeAnswer as Entrance, ProbeAnswers as Body, ProbeAsk, ProbeVerdict as Shown,
    ProbeVerdicts, ProbedNode, Verdict as Proven,
};
use breakglass_api::proxies::Enforcement;
use breakglass_api::trail::ServiceAction;
use breakglass_types::names::PROBE_HEADER;
use serde::Serialize;
use serde_json::json;
use tokio::time::{Instant, timeout};

use super::body::{FieldErrors, Id, JsonBody};
use crate::app::App;
use crate::auth::identity::AsAuditor;
use crate::clock::{Moment, written};
use crate::feed::Known;
use crate::probes::{Answered, Keys, Node, Open, Probes, Verdict, judge};
use crate::problem::{Problem, Reason};

/// How long reports are waited for: a filter makes one within a tick.
const REPORT_WAIT: Duration = Duration::from_secs(2);

/// The most answers in one call.
const MAX_ANSWERS: usize = 64;

/// The longest name of an entrance, and the longest authority, in bytes.
const MAX_ENTRANCE: usize = 512;
const MAX_AUTHORITY: usize = 300;

/// The largest body of answers, in bytes.
pub(super) const MAX_BODY: usize = MAX_ANSWERS * 1200;

type Uncached<T> = ([(HeaderName, &'static str); 1], Json<T>);

pub(super) async fn begin(
    State(app): State<App>,
    AsAuditor(person): AsAuditor,
    JsonBody(ProbeAsk { audience }): JsonBody<ProbeAsk>,
) -> Result<(StatusCode, Uncached<Challenge>), Problem> {
    if audience.as_ref().is_some_and(|audience| !app.config().has_audience(audience)) {
        let mut errors = FieldErrors::default();
        errors.add(
            "audience",
            "expected the audience of a scope that the service is configured with",
        );
        return Err(errors.into_problem());
    }
    // Proxies would refuse one of a wrong time, and their entrances would look open.
    let now = app.trusted_now()?.moment();
    let (id, ends) = (app.randomness().id("prb", now), Probes::end(now));
    let minted = app.issuer().mint_challenge(audience.as_deref(), now, ends, &id);
    let challenge = minted.map_err(|error| Problem::internal(&error))?;
    let expires_at = written(ends);
    let open =
        Open { challenge: challenge.clone(), by: person.name.clone(), ends, reports: vec![] };
    app.probes().add(now, &id, open).map_err(|_| {
        Problem::new(
            Reason::TooManyProbes,
            "too many challenges live: they end within a minute; send one to several entrances",
        )
    })?;
    let detail = json!({ "id": id, "expires_at": expires_at });
    app.store().note_act(now, &person.name, ServiceAction::Probe, &detail).await?;
    let answer = Challenge { id, challenge, header: PROBE_HEADER.to_owned(), expires_at };
    Ok((StatusCode::CREATED, uncached(answer)))
}

pub(super) async fn answers(
    State(app): State<App>,
    AsAuditor(person): AsAuditor,
    Id(id): Id,
    JsonBody(Body { answers }): JsonBody<Body>,
) -> Result<Uncached<ProbeVerdicts>, Problem> {
    check(&answers)?;
    let start = Instant::now();
    let keys = Keys::new(&app.config().proxies);
    // Before the first look, so that no report falls between the two.
    let mut reports = app.probes().reports();
    let (verdicts, known) = loop {
        reports.borrow_and_update();
        let now = app.now();
        let open = app.probes().get(now, &id, &person.name).ok_or_else(unknown)?;
        let known = app.feed().nodes().list(now);
        let judged = |one: &Entrance| {
            let answered = Answered { authority: &one.authority, answer: one.answer.as_deref() };
            judge(&open, &answered, &keys, &known)
        };
        let verdicts: Vec<Verdict> = answers.iter().map(judged).collect();
        let left = REPORT_WAIT.saturating_sub(start.elapsed());
        let is_open = verdicts.iter().any(Verdict::may_change);
        if !is_open || left.is_zero() || app.is_stopping() {
            break (verdicts, known);
        }
        // Either way there is reason to look again.
        let _ = timeout(left, reports.changed()).await;
    };
    let now = app.now();
    let pairs = answers.iter().zip(&verdicts);
    let noted: Vec<Noted<'_>> = pairs.clone().map(|(one, verdict)| note(one, verdict)).collect();
    let detail = json!({ "id": id, "verdicts": noted });
    app.store().note_act(now, &person.name, ServiceAction::ProbeVerdict, &detail).await?;
    let verdicts = pairs.map(|(one, verdict)| view(now, one, verdict, &known)).collect();
    Ok(uncached(ProbeVerdicts { id, epoch: app.feed().epoch(), verdicts }))
}

fn unknown() -> Problem {
    Problem::new(
        Reason::ProbeUnknown,
        "you have no challenge with this id, or it is over: `breakglass probe` takes a new one",
    )
}

fn check(answers: &[Entrance]) -> Result<(), Problem> {
    let mut errors = FieldErrors::default();
    if answers.is_empty() || answers.len() > MAX_ANSWERS {
        errors
            .add("answers", format!("expected 1 to {MAX_ANSWERS} answers, got {}", answers.len()));
    }
    for (index, one) in answers.iter().enumerate().take(MAX_ANSWERS) {
        for (name, text, longest) in [
            ("entrance", &one.entrance, MAX_ENTRANCE),
            ("authority", &one.authority, MAX_AUTHORITY),
        ] {
            let is_visible = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
            if text.is_empty() || text.len() > longest || !is_visible {
                let expected = format!("expected 1 to {longest} visible ASCII characters");
                errors.add(format!("answers[{index}].{name}"), expected);
            }
        }
    }
    errors.finish()
}

/// One verdict, for the trail.
#[derive(Serialize)]
struct Noted<'a> {
    entrance: &'a str,
    verdict: Proven,
    #[serde(skip_serializing_if = "Option::is_none")]
    proxy: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<&'a str>,
}

fn note<'a>(one: &'a Entrance, verdict: &'a Verdict) -> Noted<'a> {
    let (proxy, node, config) = match verdict {
        Verdict::Guarded { node, .. } => {
            (Some(node.proxy.as_str()), Some(node.node.as_str()), node.about.config.as_deref())
        }
        Verdict::Unreported { proxy, .. } => (Some(proxy.as_str()), None, None),
        Verdict::NotProven | Verdict::NoAnswer => (None, None, None),
    };
    Noted { entrance: &one.entrance, verdict: verdict.word(), proxy, node, config }
}

fn view(now: Moment, one: &Entrance, verdict: &Verdict, known: &[Known]) -> Shown {
    let (received_as, proxy, node) = match verdict {
        Verdict::Guarded { node, received_as } => {
            let found = known.iter().find(|one| one.id == node.id && one.proxy == node.proxy);
            (Some(received_as.clone()), None, Some(node_view(now, node, found)))
        }
        Verdict::Unreported { proxy, received_as } => {
            (Some(received_as.clone()), Some(proxy.clone()), None)
        }
        Verdict::NotProven | Verdict::NoAnswer => (None, None, None),
    };
    Shown {
        entrance: one.entrance.clone(),
        authority: one.authority.clone(),
        verdict: verdict.word().into(),
        received_as,
        proxy,
        node,
    }
}

/// `known` is what the polls of this process say; one that is known by its report alone has reported just now.
fn node_view(now: Moment, node: &Node, known: Option<&Known>) -> ProbedNode {
    let seen = known.map_or(now, |known| known.seen);
    let enforcement = if node.about.is_shadow { Enforcement::Shadow } else { Enforcement::Enforce };
    ProbedNode {
        id: node.id.clone(),
        node: node.node.clone(),
        proxy: node.proxy.clone(),
        version: node.about.version.as_deref().map(str::to_owned),
        config: node.about.config.as_deref().map(str::to_owned),
        enforcement: enforcement.into(),
        epoch: known.map(|known| known.epoch),
        stale_for_s: now.seconds().saturating_sub(seen.seconds()).max(0),
        alive: known.is_none_or(|known| known.alive),
    }
}

fn uncached<T>(answer: T) -> Uncached<T> {
    ([(header::CACHE_CONTROL, "no-store")], Json(answer))
}
