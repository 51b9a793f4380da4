//! Forgets codes and sessions whose time is over, a few at a time.

use std::time::Duration;

use crate::app::App;
use crate::domain::look_at_held_ends;

/// How often it is looked whether there are any.
const LOOK: Duration = Duration::from_secs(60);

/// How long other changes have between two steps.
const PAUSE: Duration = Duration::from_millis(100);

/// Forgets them for as long as the service runs.
pub async fn keep_sweeping(app: App) {
    loop {
        app.sessions().prune(app.now());
        // Those of grants that are over are held no more.
        if !app.held_ends().all().is_empty() {
            look_at_held_ends(&app).await;
        }
        let wait = match app.store().sweep_sessions(app.now()).await {
            Ok(true) => PAUSE,
            Ok(false) => LOOK,
            Err(cause) => {
                tracing::warn!(%cause, "codes and sessions that are over stay in the database for now");
                LOOK
            }
        };
        tokio::time::sleep(wait).await;
    }
}
