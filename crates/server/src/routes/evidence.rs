//! `GET /v1/audit/requests?grant=..`: what was asked for, by whom, and all that became of it. For
//! auditors: whoever else is involved sees it in `GET /v1/requests`.
//!
//! `incident` and `subject` mean every spelling of the name that a person would take for it: `look_alikes`
//! lists the others that requests have.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, header};
use breakglass_api::Word;
use breakglass_api::evidence::{
    Action, Evidence as Answer, EvidenceQuery, RequestEvidence, Spelling, Step as View,
};

use super::body::{FieldErrors, QueryString};
use super::view::view;
use crate::app::App;
use crate::auth::identity::AsAuditor;
use crate::clock::{Moment, written};
use crate::limits::MAX_LISTED_GRANTS;
use crate::problem::Problem;
use crate::store::{About, Evidence, EvidencePage, Kind, Step};

/// How many requests one answer lists, fewer where their trails are long: then the last one is the first of the
/// next page again, with the rest of its trail.
const PAGE: usize = 200;

pub(super) async fn handler(
    State(app): State<App>,
    _: AsAuditor,
    QueryString(parameters): QueryString<EvidenceQuery>,
) -> Result<([(HeaderName, &'static str); 1], Json<Answer>), Problem> {
    let config = app.config();
    let EvidenceQuery { grant, incident, subject, after } = parameters;
    if [&grant, &incident, &subject].into_iter().flatten().count() != 1 {
        let mut errors = FieldErrors::default();
        errors.add("grant", "expected exactly one of `grant`, `incident`, `subject`");
        return Err(errors.into_problem());
    }

    // The requester chose the spelling, and the configuration may spell a name in another way now.
    let store = app.store();
    let spellings = match (&incident, &subject) {
        (Some(incident), _) => store.spellings(Kind::Incident, incident).await?,
        (None, Some(subject)) => store.spellings(Kind::Person, subject).await?,
        (None, None) => Vec::new(),
    };
    let about = match (&grant, &incident) {
        (Some(grant), _) => About::Grant(grant),
        (None, Some(_)) => About::Incident(&spellings),
        (None, None) => About::Subject(&spellings),
    };
    let asked = incident.as_deref().or(subject.as_deref());
    let look_alikes = spellings
        .iter()
        .filter(|spelling| Some(spelling.as_str()) != asked)
        .take(MAX_LISTED_GRANTS)
        .map(|spelling| Spelling { name: spelling.clone() })
        .collect();
    let now = app.now();
    let page = store.evidence(now, about, &after, PAGE).await?;
    let EvidencePage { requests, next } = page;
    let requests = requests
        .into_iter()
        .map(|Evidence { request, trail }| RequestEvidence {
            request: view(&config, request, now),
            trail: trail.into_iter().map(step).collect(),
        })
        .collect();
    let answer = Answer { requests, next, look_alikes };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)))
}

fn step(step: Step) -> View {
    View {
        at: written(Moment::from_millis(step.at_ms)),
        actor: step.actor,
        action: Word::<Action>::read(step.action),
        detail: step.detail,
    }
}
