//! `POST /v1/alerts`: a proxy reports what calls for attention. `GET /v1/audit/alerts`: an auditor reads what proxies
//! reported.
//!
//! What a client of a proxy chose (a path, a host, a `kid`) is taken whatever characters it has: were a report refused for
//! them, an attacker could keep every alert in it away. They are escaped where they are shown.

use axum::Json;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::{HeaderName, header};
use breakglass_api::alerts::{
    AlertReport, Alerts, AlertsQuery, AlertsReported, DROPPED, NewAlert, SUPPRESSED,
};
use breakglass_types::alerts::SENDER_DIGITS;
use breakglass_types::hex;
use breakglass_types::limits::{MAX_ALERT_PATH_BYTES, MAX_ALERT_TEXT_BYTES};
use breakglass_types::names::PROCESS_DIGITS;

use super::body::{FieldErrors, JsonBody, QueryString};
use crate::app::App;
use crate::auth::identity::{AsAuditor, AsProxy};
use crate::clock::{Moment, parse_rfc3339, written};
use crate::config::Proxy;
use crate::domain::{self, NotTaken, ReportOfAlerts};
use crate::evidence::{AlertFilter, EvidenceError, ReportKey, Reporter, StoredAlert};
use crate::limits::MAX_ALERTS;
use crate::problem::Problem;
use crate::text;

/// The most alerts that one answer lists.
const PAGE: i64 = 500;

/// The longest kind, in bytes.
const MAX_KIND_BYTES: usize = 64;

/// The longest instant, in bytes.
const MAX_INSTANT_BYTES: usize = 64;

pub(super) async fn report(
    State(app): State<App>,
    AsProxy(proxy): AsProxy,
    request: Request,
) -> Result<Json<AlertsReported>, Problem> {
    let refusal = match take(&app, &proxy, request).await {
        Ok(taken) => {
            if taken.dropped > 0
                && let Some(unlogged) = app.evidence().logs_refusal(&proxy.name)
            {
                let dropped = taken.dropped;
                tracing::warn!(
                    proxy = proxy.name,
                    dropped,
                    unlogged,
                    "alerts of grants or audiences that this proxy does not have"
                );
            }
            return Ok(Json(taken));
        }
        Err(refusal) => refusal,
    };
    let quota = match &refusal {
        Refusal::NotTaken(NotTaken::Evidence(EvidenceError::Quota(quota))) => Some(quota.word()),
        _ => None,
    };
    let problem = Problem::from(refusal);
    let reason = quota.unwrap_or_else(|| problem.reason().word());
    app.metrics().alerts().report_refused(reason);
    // A proxy repeats what was refused.
    if let Some(unlogged) = app.evidence().logs_refusal(&proxy.name) {
        tracing::warn!(proxy = proxy.name, reason, unlogged, "report of alerts refused");
    }
    Err(problem)
}

/// Why a report is refused.
enum Refusal {
    Problem(Problem),
    NotTaken(NotTaken),
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        match refusal {
            Refusal::Problem(problem) => problem,
            Refusal::NotTaken(NotTaken::Store(error)) => error.into(),
            Refusal::NotTaken(NotTaken::Evidence(error)) => error.into(),
        }
    }
}

async fn take(app: &App, proxy: &Proxy, request: Request) -> Result<AlertsReported, Refusal> {
    let JsonBody(AlertReport { node, process, report, dropped, alerts }) =
        JsonBody::from_request(request, app).await.map_err(Refusal::Problem)?;
    // An Envoy without a node id is known by its credential.
    let node = if node.is_empty() { proxy.name.clone() } else { node };
    let mut errors = FieldErrors::default();
    errors.check("node", text::name(&node));
    if let Some(process) = &process
        && !hex::is_lower(process, PROCESS_DIGITS)
    {
        errors.add("process", format!("expected {PROCESS_DIGITS} lower-case hexadecimal digits"));
    }
    if let Some(report) = &report
        && !hex::is_lower(&report.sender, SENDER_DIGITS)
    {
        let expected = format!("expected {SENDER_DIGITS} lower-case hexadecimal digits");
        errors.add("report.sender", expected);
    }
    if alerts.len() > MAX_ALERTS {
        errors.add("alerts", format!("expected at most {MAX_ALERTS} alerts, got {}", alerts.len()));
    }
    for (index, alert) in alerts.iter().enumerate().take(MAX_ALERTS) {
        check(alert, &format!("alerts[{index}]"), &mut errors);
    }
    errors.finish().map_err(Refusal::Problem)?;
    let reporter = Reporter { proxy: &proxy.name, node: &node, process: process.as_deref() };
    let key = match &report {
        None => None,
        Some(report) => {
            let said = serde_json::to_vec(&(dropped, &alerts));
            let said = said.map_err(|error| Refusal::Problem(Problem::internal(&error)))?;
            Some(ReportKey::new(&report.sender, report.number, &said))
        }
    };
    let report = ReportOfAlerts { key, alerts, dropped };
    let taken = domain::report_alerts(app, app.now(), proxy, reporter, report).await;
    let domain::AlertsTaken { accepted, dropped } = taken.map_err(Refusal::NotTaken)?;
    Ok(AlertsReported { accepted, dropped })
}

fn check(alert: &NewAlert, path: &str, errors: &mut FieldErrors) {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let kind = &alert.kind;
    if !(1..=MAX_KIND_BYTES).contains(&kind.len()) || !kind.bytes().all(word) {
        let expected = format!("expected 1 to {MAX_KIND_BYTES} of the characters a-z, 0-9 and _");
        errors.add(format!("{path}.kind"), expected);
    } else if [SUPPRESSED, DROPPED].contains(&kind.as_str()) {
        let expected = format!("expected a kind of a proxy: the service says `{kind}` itself");
        errors.add(format!("{path}.kind"), expected);
    }
    for (name, text) in [("first", &alert.first), ("last", &alert.last)] {
        if text.len() > MAX_INSTANT_BYTES || parse_rfc3339(text).is_none() {
            errors.add(format!("{path}.{name}"), "expected an instant as RFC 3339 has it");
        }
    }
    if alert.count < 1 {
        errors.add(format!("{path}.count"), "expected a number from 1");
    }
    let unverified = alert.unverified.as_ref();
    for (name, text, most) in [
        ("grant", &alert.grant, MAX_ALERT_TEXT_BYTES),
        ("issuer", &alert.issuer, MAX_ALERT_TEXT_BYTES),
        ("subject", &alert.subject, MAX_ALERT_TEXT_BYTES),
        ("audience", &alert.audience, MAX_ALERT_TEXT_BYTES),
        ("incident", &alert.incident, MAX_ALERT_TEXT_BYTES),
        ("scope", &alert.scope, MAX_ALERT_TEXT_BYTES),
        ("rule", &alert.rule, MAX_ALERT_TEXT_BYTES),
        ("reason", &alert.reason, MAX_ALERT_TEXT_BYTES),
        ("method", &alert.method, MAX_ALERT_TEXT_BYTES),
        ("host", &alert.host, MAX_ALERT_TEXT_BYTES),
        ("path", &alert.path, MAX_ALERT_PATH_BYTES),
        ("route", &alert.route, MAX_ALERT_TEXT_BYTES),
        ("source_ip", &alert.source_ip, MAX_ALERT_TEXT_BYTES),
        ("request_id", &alert.request_id, MAX_ALERT_TEXT_BYTES),
        ("detail", &alert.detail, MAX_ALERT_TEXT_BYTES),
        ("unverified.kid", &unverified.and_then(|one| one.kid.clone()), MAX_ALERT_TEXT_BYTES),
        ("unverified.issuer", &unverified.and_then(|one| one.issuer.clone()), MAX_ALERT_TEXT_BYTES),
    ] {
        let bytes = text.as_ref().map_or(0, String::len);
        if bytes > most {
            let expected = format!("expected at most {most} bytes, got {bytes}");
            errors.add(format!("{path}.{name}"), expected);
        }
    }
}

pub(super) async fn list(
    State(app): State<App>,
    _: AsAuditor,
    QueryString(query): QueryString<AlertsQuery>,
) -> Result<([(HeaderName, &'static str); 1], Json<Alerts>), Problem> {
    let AlertsQuery { after, kind, proxy, grant } = query;
    let retention = app.evidence().retention().await?;
    let filter = AlertFilter {
        after,
        kind: kind.as_deref(),
        proxy: proxy.as_deref(),
        grant: grant.as_deref(),
        limit: PAGE,
    };
    let alerts = app.evidence().alerts(filter).await?;
    let full = i64::try_from(alerts.len()).is_ok_and(|count| count >= PAGE);
    let next = alerts.last().filter(|_| full).map(|alert| alert.place);
    let removed_before = (retention.removed_before_ms > 0)
        .then(|| written(Moment::from_millis(retention.removed_before_ms)));
    let alerts = alerts.into_iter().map(StoredAlert::into_view).collect();
    let answer = Alerts { alerts, next, removed_before };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)))
}
