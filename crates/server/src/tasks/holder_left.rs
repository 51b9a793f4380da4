//! Ends what people hold who have left, and their sessions, until it has worked.

use std::time::Duration;

use crate::app::App;
use crate::domain::{end_holders, sessions};

/// How long until it is tried again after a failure.
const RETRY: Duration = Duration::from_secs(5);

/// Calls [`end_holders`] and [`sessions::end_unknown`] until each has succeeded: for a start and a reload, which wait for nothing.
pub async fn until_done(app: App) {
    while let Err(cause) = end_holders(&app).await {
        tracing::error!(%cause, "people who are not in the configuration keep their grants until it works");
        tokio::time::sleep(RETRY).await;
    }
    while let Err(cause) = sessions::end_unknown(&app).await {
        tracing::error!(%cause, "sessions of people whose identity provider is gone are not ended until it works");
        tokio::time::sleep(RETRY).await;
    }
}
