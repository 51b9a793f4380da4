//! Finds out whether the service can do its work.

use tokio::time::Instant;

use crate::app::App;
use crate::readiness::{AGAIN, LIMIT};

/// Finds out for as long as the service runs.
pub async fn keep_probing(app: App) {
    loop {
        let wait = match tokio::time::timeout(LIMIT, app.store().probe()).await {
            Ok(result) => app.readiness().take(Instant::now(), &result),
            // No outcome: the last one ages.
            Err(_) => AGAIN,
        };
        tokio::time::sleep(wait).await;
    }
}
