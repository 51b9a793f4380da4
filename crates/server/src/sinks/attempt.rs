//! An attempt on a thread of its own: a system that does not answer keeps that thread, and neither the task that waits nor the
//! end of the service, which waits for the threads of the runtime.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::outcome::Outcome;

/// Makes an attempt, and waits for its outcome for at most `limit`.
pub async fn on_own_thread(
    limit: Duration,
    work: impl FnOnce() -> Outcome + Send + 'static,
) -> Outcome {
    let (send, ended) = oneshot::channel();
    let work = move || {
        // The service may have ended meanwhile.
        let _ = send.send(work());
    };
    if let Err(error) = std::thread::Builder::new().name("delivery".to_owned()).spawn(work) {
        return Outcome::failed(error.to_string());
    }
    match timeout(limit, ended).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Outcome::failed("the attempt ended without an outcome".to_owned()),
        Err(_) => Outcome::failed("the system does not answer".to_owned()),
    }
}
