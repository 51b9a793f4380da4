//! Runs the interface on a socket until it is told to stop.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::app::App;
use crate::feed::keep_fresh;
use crate::readiness::keep_probing;
use crate::routes::router;
use crate::timekeeper::{self, keep_time};

/// How often the key directory is looked at: a new key signs within this time.
const KEY_WATCH: Duration = Duration::from_secs(1);

/// How long answers under way may take once the service is told to stop.
const GRACE: Duration = Duration::from_secs(10);

/// Serves until `stop` is ready, then lets the answers under way finish, and closes the database.
///
/// # Errors
/// When the socket fails, or the system gives no threads.
pub async fn serve(
    app: App,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (stopped, grace_begins) = oneshot::channel();
    let watch = tokio::spawn(watch_keys(app.clone()));
    let fresh = tokio::spawn(keep_fresh(app.clone()));
    let probing = tokio::spawn(keep_probing(app.clone()));
    let time = tokio::spawn(keep_time(app.clone()));
    let stopping = app.clone();
    let stop = async move {
        stop.await;
        stopping.stop();
        // The receiver is gone only when the server has ended by itself.
        let _ = stopped.send(());
    };
    // Connections, and the polls that hang on them, have threads of their own: see `router`.
    let connections =
        Builder::new_multi_thread().thread_name("connections").enable_all().build()?;
    let router = router(app.clone(), &Handle::current());
    let server = axum::serve(listener, router).with_graceful_shutdown(stop);
    let server = connections.spawn(server.into_future());
    let overtime = async {
        if grace_begins.await.is_ok() {
            tokio::time::sleep(GRACE).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    let result = tokio::select! {
        result = server => result.unwrap_or_else(|error| Err(io::Error::other(error))),
        () = overtime => {
            tracing::warn!("some clients did not let go; closing anyway");
            Ok(())
        }
    };
    watch.abort();
    fresh.abort();
    probing.abort();
    time.abort();
    connections.shutdown_background();
    timekeeper::stop(&app).await;
    app.store().close().await;
    result
}

/// Reads the keys again when the names of the key files have changed. Files that cannot be used
/// change nothing: the keys that were read before stay in use, and the log says so.
async fn watch_keys(app: App) {
    let issuer = app.issuer();
    let mut known = issuer.directory().names().ok();
    loop {
        tokio::time::sleep(KEY_WATCH).await;
        let names = issuer.directory().names().ok();
        if names == known {
            continue;
        }
        match issuer.reload() {
            Ok(()) => tracing::info!("signing keys read again"),
            Err(cause) => tracing::error!(%cause, "signing keys not read again"),
        }
        known = names;
    }
}
