//! Checks again the incidents of requests that go on.

use std::time::Duration;

use crate::app::App;
use crate::domain::check_incidents;

/// How often it is looked for checks that are due.
const LOOK: Duration = Duration::from_secs(1);

/// Makes them for as long as the service runs.
pub async fn keep_checking(app: App) {
    let mut failing = false;
    loop {
        match check_incidents(&app, app.now()).await {
            Ok(_) => failing = false,
            Err(cause) => {
                if !failing {
                    tracing::error!(%cause, "incidents are not checked again: it is tried again");
                }
                failing = true;
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}
