//! Wakes by the events: for what another process changed.

use std::time::Duration;

use crate::app::App;
use crate::store::StoreError;

/// How many events are read in one go.
const STEP: i64 = 1000;

/// How often they are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Wakes by the events for as long as the service runs.
pub async fn keep_awake(app: App) {
    let mut known = None;
    loop {
        tokio::time::sleep(LOOK).await;
        if let Err(cause) = wake_by_events(&app, &mut known).await {
            // Who waits looks again at the end of its wait.
            tracing::debug!(%cause, "events not read");
        }
    }
}

/// Wakes those who wait for requests of which there are events after the place `known`.
async fn wake_by_events(app: &App, known: &mut Option<i64>) -> Result<(), StoreError> {
    let Some(mut after) = *known else {
        *known = Some(app.store().last_event().await?);
        // Those who wait already: what was changed since they looked is not after that place.
        app.waits().wake_all();
        return Ok(());
    };
    loop {
        let events = app.store().requests_after(after, STEP).await?;
        let Some((last, _)) = events.last() else { return Ok(()) };
        after = *last;
        *known = Some(after);
        let requests = events.iter().filter_map(|(_, request)| request.as_deref());
        requests.for_each(|request| app.waits().wake(request));
    }
}
