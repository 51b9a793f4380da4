//! A proxy reports what calls for attention: the one way by which what a proxy says enters.
//!
//! 1. All of it is the proxy's own word, and marked so. Of a grant that this service knows, the audience, the subject and
//!    the incident are the service's own: no credential can put another person's name to a grant.
//! 2. Nothing is kept of a grant or an audience that the credential does not have. A grant that is not known is kept: it may
//!    have been lost with a database, and its use is worth knowing then.
//! 3. What is kept is bounded for each credential: see [`crate::evidence`]. One credential's alerts are never counted with
//!    those of another one, or a stolen one could hide what others see.
//! 4. A report that is made again, because its answer was lost, counts once.

use std::collections::HashMap;

use breakglass_api::alerts::{AlertData, DROPPED, NewAlert as Reported};
use breakglass_types::alerts::{AlertKind, Class};
use breakglass_types::hex;
use sha2::{Digest as _, Sha256};

use crate::app::App;
use crate::clock::Moment;
use crate::config::Proxy;
use crate::evidence::{AlertOutcome, EvidenceError, KeptAlerts, NewAlert, ReportKey, Reporter};
use crate::store::{GrantParties, StoreError};

/// Why a report was not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// The grants that it names cannot be looked up.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The evidence database does not take it.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
}

/// What became of a report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AlertsTaken {
    /// Alerts that are kept, or counted with others.
    pub accepted: u64,
    /// Alerts of a grant or an audience that the credential does not have.
    pub dropped: u64,
}

/// What a proxy reports.
#[derive(Debug)]
pub struct Report<'a> {
    /// By what it is known if it is made again; an older filter does not say it.
    pub key: Option<ReportKey<'a>>,
    /// The alerts.
    pub alerts: Vec<Reported>,
    /// How many others the proxy has dropped.
    pub dropped: u64,
}

/// Takes a report of alerts.
///
/// # Errors
/// [`NotTaken`]: nothing of it is kept then.
pub async fn report_alerts(
    app: &App,
    now: Moment,
    proxy: &Proxy,
    reporter: Reporter<'_>,
    Report { key, alerts, dropped }: Report<'_>,
) -> Result<AlertsTaken, NotTaken> {
    let turn = app.evidence().admit_alerts(&proxy.name).await?;
    let config = app.config();
    // Another issuer's token may have the `jti` of one of ours.
    let is_ours =
        |alert: &Reported| alert.issuer.as_ref().is_none_or(|issuer| *issuer == config.issuer);
    let named = alerts.iter().filter(|alert| is_ours(alert));
    let named: Vec<&str> = named.filter_map(|alert| alert.grant.as_deref()).collect();
    let grants = match named.is_empty() {
        true => HashMap::new(),
        false => app.store().grant_parties(&named).await?,
    };
    let mut taken = AlertsTaken::default();
    let (mut kept, mut foreign) = (Vec::with_capacity(alerts.len()), Vec::new());
    for alert in alerts {
        let grant = alert.grant.as_ref().filter(|_| is_ours(&alert));
        let known = grant.and_then(|grant| grants.get(grant));
        let grant_known = grant.map(|_| known.is_some());
        let class = AlertKind::from_word(&alert.kind).map_or(Class::Filter, AlertKind::class);
        if !is_of(proxy, &alert, known) {
            foreign.push((alert.kind, class));
            continue;
        }
        kept.push(new_alert(proxy, reporter, class, grant_known, with_known(alert, known)));
    }
    taken.accepted = u64::try_from(kept.len()).unwrap_or(u64::MAX);
    taken.dropped = u64::try_from(foreign.len()).unwrap_or(u64::MAX);
    if dropped > 0 {
        kept.push(dropped_alert(proxy, reporter, dropped));
    }
    let said = match kept.is_empty() {
        true => KeptAlerts::default(),
        false => {
            let (randomness, budget) = (app.randomness(), config.max_alert_pages);
            app.evidence().keep_alerts(now, randomness, &turn, budget, &kept, key).await?
        }
    };
    if said.repeated {
        tracing::debug!(proxy = proxy.name, node = reporter.node, "a report of alerts came again");
        return Ok(taken);
    }
    let metrics = app.metrics().alerts();
    foreign.iter().for_each(|(kind, class)| metrics.dropped(kind, *class));
    if dropped > 0 {
        metrics.lost(dropped);
    }
    metrics.summaries(&said.summaries);
    for (alert, outcome) in kept.iter().zip(&said.outcomes) {
        metrics.kept(&alert.kind, alert.class, *outcome);
        if *outcome == AlertOutcome::Paged {
            let (kind, class) = (&alert.kind, alert.class.word());
            let grant = alert.grant.as_deref();
            tracing::warn!(proxy = proxy.name, node = reporter.node, kind, class, grant, "alert");
        }
    }
    Ok(taken)
}

/// Whether the credential has what the alert is about.
fn is_of(proxy: &Proxy, alert: &Reported, known: Option<&GrantParties>) -> bool {
    let serves = |audience: &String| proxy.serves_any(std::slice::from_ref(audience));
    alert.audience.as_ref().is_none_or(serves) && known.is_none_or(|known| serves(&known.audience))
}

/// The alert with what this service knows of its grant.
fn with_known(mut alert: Reported, known: Option<&GrantParties>) -> Reported {
    if let Some(GrantParties { audience, subject, incident }) = known {
        alert.audience = Some(audience.clone());
        alert.subject = Some(subject.clone());
        alert.incident.clone_from(incident);
    }
    alert
}

fn new_alert(
    proxy: &Proxy,
    reporter: Reporter<'_>,
    class: Class,
    grant_known: Option<bool>,
    alert: Reported,
) -> NewAlert {
    // Without a grant, what has several things to say in a minute is several alerts: a begin and an end, two nodes, two
    // causes.
    let merges = alert.grant.clone().map_or_else(
        || {
            let member = |member: &Option<String>| member.clone().unwrap_or_default();
            let over = alert.over.map(|over| over.to_string());
            same(&[
                reporter.node,
                &member(&over),
                &member(&alert.issuer),
                &member(&alert.reason),
                &member(&alert.detail),
            ])
        },
        // Two issuers can have the same id.
        |grant| same(&[&grant, &alert.issuer.clone().unwrap_or_default()]),
    );
    NewAlert {
        kind: alert.kind.clone(),
        class,
        merges,
        grant: alert.grant.clone(),
        count: i64::try_from(alert.count).unwrap_or(i64::MAX),
        data: AlertData { grant_known, alert: Some(alert), ..data(proxy, reporter, class) },
    }
}

/// That the proxy has dropped others.
fn dropped_alert(proxy: &Proxy, reporter: Reporter<'_>, dropped: u64) -> NewAlert {
    let count = i64::try_from(dropped).unwrap_or(i64::MAX);
    NewAlert {
        kind: DROPPED.to_owned(),
        class: Class::Filter,
        merges: same(&[reporter.node]),
        grant: None,
        count,
        data: AlertData { dropped: Some(count), ..data(proxy, reporter, Class::Filter) },
    }
}

fn data(proxy: &Proxy, reporter: Reporter<'_>, class: Class) -> AlertData {
    AlertData {
        reported_by: proxy.name.clone(),
        proxy: proxy.name.clone(),
        node: Some(reporter.node.to_owned()),
        process: reporter.process.map(str::to_owned),
        class: class.into(),
        grant_known: None,
        alert: None,
        dropped: None,
        suppressed: None,
    }
}

/// What stands for these texts: they can be long, and it is a key.
fn same(texts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(text.len().to_be_bytes());
        hash.update(text.as_bytes());
    }
    hex::lower(&hash.finalize())
}
