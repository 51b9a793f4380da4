//! Wakes by the trail: for what another process changed.

use std::time::Duration;

use crate::app::App;
use crate::store::StoreError;

/// How often the trail is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Wakes by the trail for as long as the service runs.
pub async fn keep_awake(app: App) {
    let mut known = None;
    loop {
        tokio::time::sleep(LOOK).await;
        if let Err(cause) = wake_by_trail(&app, &mut known).await {
            // Who waits looks again at the end of its wait.
            tracing::debug!(%cause, "trail not read");
        }
    }
}

/// Wakes those who wait for requests of which the trail has news after the row `known`.
async fn wake_by_trail(app: &App, known: &mut Option<i64>) -> Result<(), StoreError> {
    let Some(mut after) = *known else {
        *known = Some(app.store().last_change().await?);
        return Ok(());
    };
    loop {
        let changes = app.store().changes_after(after).await?;
        let Some((last, _)) = changes.last() else { return Ok(()) };
        after = *last;
        *known = Some(after);
        changes.iter().for_each(|(_, request)| app.waits().wake(request));
    }
}
