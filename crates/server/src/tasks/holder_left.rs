//! Ends what people hold who have left, until it has worked.

use std::time::Duration;

use crate::app::App;
use crate::domain::end_holders;

/// How long until it is tried again after a failure.
const RETRY: Duration = Duration::from_secs(5);

/// Calls [`end_holders`] until it has succeeded: for a start and a reload, which wait for nothing.
pub async fn until_done(app: App) {
    while let Err(cause) = end_holders(&app).await {
        tracing::error!(%cause, "people who are not in the configuration keep their grants until it works");
        tokio::time::sleep(RETRY).await;
    }
}
