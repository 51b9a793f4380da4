//! Says of which requests no approver was reached.

use std::time::Duration;

use crate::app::App;
use crate::domain::say_unreached;

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(1);

/// Says it for as long as the service runs.
pub async fn keep_saying(app: App) {
    let mut failing = false;
    loop {
        match say_unreached(&app, app.now()).await {
            Ok(_) => failing = false,
            Err(cause) => {
                if !failing {
                    tracing::warn!(%cause, "whether approvers were reached is not said: it is tried again");
                }
                failing = true;
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}
