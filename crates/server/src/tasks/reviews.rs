//! Counts the reviews that wait for a reviewer.

use std::time::Duration;

use tokio::time::sleep;

use crate::app::App;

/// How often they are counted.
const COUNT: Duration = Duration::from_secs(5);

/// Counts them for as long as the service runs.
pub async fn keep_counting_reviews(app: App) {
    loop {
        match app.store().open_reviews().await {
            Ok(open) => app.metrics().reviews().open(open),
            Err(cause) => tracing::debug!(%cause, "reviews are not counted"),
        }
        sleep(COUNT).await;
    }
}
