//! Keeps the feed fresh.

use std::time::Duration;

use crate::app::App;

/// How often the database is looked at without reason: the news of another process is known
/// within a second.
const LOOK: Duration = Duration::from_millis(500);

/// Looks at the database for as long as the service runs.
pub async fn keep_fresh(app: App) {
    let mut news = app.news();
    loop {
        // Before the look, so that no change falls between the two.
        news.borrow_and_update();
        // A failure is in the log; who asks meanwhile is refused.
        let _ = app.feed().look(app.store(), app.floor()).await;
        let _ = tokio::time::timeout(LOOK, news.changed()).await;
    }
}
