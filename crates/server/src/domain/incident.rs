//! The incident of a request: whether one is named where a scope needs it, and what the system that keeps incidents says of
//! it, before the submission takes a lock or a connection.

use url::Url;

use super::Refused;
use super::incident_refused::IncidentRefused;
use crate::app::App;
use crate::clock::Moment;
use crate::config::{Config, IncidentCheck, IncidentNeed, OnSilence, Person};
use crate::incidents::{Asker, Verdict, judge};
use crate::limits::INCIDENT_RECHECK_S;
use crate::store::{IncidentCheckRow, Request};

/// A check that a submission needs.
#[derive(Debug)]
pub(super) struct NeededCheck<'a> {
    check: &'a IncidentCheck,
    incident: &'a str,
    url: Url,
}

/// Looks at what is named, which costs no call. Returns what is to be asked, where a scope wants it asked.
///
/// # Errors
/// [`IncidentRefused`] if a scope needs an incident and none is named, or it is no name that can be asked for.
pub(super) fn needed<'a>(
    config: &'a Config,
    scopes: &[String],
    incident: Option<&'a str>,
) -> Result<Option<NeededCheck<'a>>, Refused> {
    let scopes = scopes.iter().filter_map(|name| config.scope(name));
    let Some(strictest) = scopes.max_by_key(|scope| scope.incident) else { return Ok(None) };
    let Some(incident) = incident else {
        return match strictest.incident {
            IncidentNeed::Optional => Ok(None),
            IncidentNeed::Required | IncidentNeed::Checked => {
                Err(IncidentRefused::Missing { scope: strictest.name.clone() }.into())
            }
        };
    };
    // A scope whose incidents are checked has a system that checks them: the configuration is refused otherwise.
    let check = config.incident_check.as_ref();
    let Some(check) = check.filter(|_| strictest.incident == IncidentNeed::Checked) else {
        return Ok(None);
    };
    let url = check.url.of(incident).map_err(|_| IncidentRefused::NotOneName)?;
    Ok(Some(NeededCheck { check, incident, url }))
}

/// Asks. What is returned is kept with the request.
///
/// # Errors
/// [`IncidentRefused`] if the answer is not good, or there is none and the configuration refuses then.
pub(super) async fn ask(
    app: &App,
    config: &Config,
    who: &Person,
    now: Moment,
    needed: NeededCheck<'_>,
) -> Result<IncidentCheckRow, Refused> {
    let NeededCheck { check, incident, url } = needed;
    app.incidents().take(now, &who.name).map_err(|_| IncidentRefused::TooOften)?;
    let said = app.incidents().ask(check, url).await;
    let now = app.now();
    let Ok(said) = said else {
        return match check.silent {
            OnSilence::Refuse => Err(IncidentRefused::Silent.into()),
            OnSilence::Owed => Ok(IncidentCheckRow::owed(now)),
        };
    };
    let mail = config.people.address(&who.name).map(|address| address.to_string());
    let asker = Asker { name: &who.name, mail: mail.as_deref(), groups: &who.groups };
    let checked = judge(check, asker, &said);
    if checked.verdict != Verdict::Open {
        let (verdict, state) = (checked.verdict, checked.found.state);
        return Err(said_no(verdict, incident, state, false).into());
    }
    let next_at = check.until_closed.then(|| now.seconds().saturating_add(INCIDENT_RECHECK_S));
    Ok(IncidentCheckRow::answered(now, &checked, next_at))
}

/// Whether the last answer lets the request be approved. That there is none yet does: approvers see it.
///
/// # Errors
/// [`IncidentRefused::Said`].
pub(super) fn check_approvable(request: &Request) -> Result<(), Refused> {
    let Some(row) = &request.incident_check else { return Ok(()) };
    match Verdict::of(row.verdict) {
        None | Some(Verdict::Open) => Ok(()),
        Some(verdict) => {
            let incident = request.incident.as_deref().unwrap_or_default();
            Err(said_no(verdict, incident, row.found.state.clone(), true).into())
        }
    }
}

fn said_no(
    verdict: Verdict,
    incident: &str,
    state: Option<String>,
    of_approval: bool,
) -> IncidentRefused {
    IncidentRefused::Said { verdict, incident: incident.to_owned(), state, of_approval }
}
