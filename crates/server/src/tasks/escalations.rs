//! Tells the groups to which approval rules are escalated of the requests that have waited for long.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::sleep;

use crate::app::App;
use crate::clock::Moment;
use crate::domain::escalate;
use crate::store::StoreError;

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(1);

/// After how many seconds a request is looked at again of which nothing is due: what it needs can change, and so can the rules.
const AGAIN_S: i64 = 30;

/// The most requests that are looked at: those that lapse first.
const MOST: i64 = 10_000;

/// Tells of them for as long as the service runs.
pub async fn keep_escalating(app: App) {
    let mut failing = false;
    // When a request is to be looked at, by its id.
    let mut due: BTreeMap<String, Moment> = BTreeMap::new();
    loop {
        match look(&app, &mut due).await {
            Ok(()) => failing = false,
            Err(cause) => {
                if !failing {
                    tracing::error!(%cause, "no request is escalated: it is tried again");
                }
                failing = true;
            }
        }
        sleep(LOOK).await;
    }
}

async fn look(app: &App, due: &mut BTreeMap<String, Moment>) -> Result<(), StoreError> {
    if app.config().approval_rules.iter().all(|rule| rule.escalate.is_empty()) {
        due.clear();
        return Ok(());
    }
    let now = app.now();
    let pending = app.store().pending_ids(now, MOST).await?;
    let mut next = BTreeMap::new();
    for id in pending {
        let again = Moment::from_seconds(now.seconds().saturating_add(AGAIN_S));
        let at = match due.get(&id) {
            // A clock that went back leaves none for later than that.
            Some(at) if *at > now && *at <= again => *at,
            _ => escalate(app, now, &id).await?.map_or(again, |at| at.min(again)),
        };
        next.insert(id, at);
    }
    *due = next;
    Ok(())
}
