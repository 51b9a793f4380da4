//! Runs the interface on a socket until it is told to stop.

use std::future::Future;
use std::io;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::app::App;
use crate::config::Config;
use crate::connections::{self, Limits};
use crate::routes::router;
use crate::tasks::feed::keep_fresh;
use crate::tasks::readiness::keep_probing;
use crate::tasks::time::{self, keep_time};
use crate::tasks::waits::keep_awake;

/// How often the key directory is looked at: a new key signs within this time.
const KEY_WATCH: Duration = Duration::from_secs(1);

/// How long answers under way may take once the service is told to stop.
const GRACE: Duration = Duration::from_secs(10);

/// How many files the service needs beside those of its connections, at most.
const OTHER_FILES: usize = 256;

/// Serves until `stop` is ready, then lets the answers under way finish, and closes the database.
///
/// # Errors
/// When the socket fails, or the system gives no threads.
pub async fn serve(
    app: App,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let limits = limits(&app.config());
    serve_within(limits, app, listener, stop).await
}

/// How many connections there may be: what the configuration says, or what the system gives.
fn limits(config: &Config) -> Limits {
    let files = getrlimit(Resource::Nofile).current.map_or(usize::MAX, |files| {
        usize::try_from(files).unwrap_or(usize::MAX).saturating_sub(OTHER_FILES).max(1)
    });
    let total = config.max_connections;
    if total > files {
        tracing::warn!(
            max_connections = total,
            files,
            "the system gives fewer files than connections"
        );
    }
    Limits::new(total.min(files), config.max_connections_per_address)
}

/// [`serve`], with these limits for its connections.
///
/// # Errors
/// When the socket fails, or the system gives no threads.
pub async fn serve_within(
    limits: Limits,
    app: App,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    app.waits().limit(limits.waits());
    let watch = tokio::spawn(watch_keys(app.clone()));
    let fresh = tokio::spawn(keep_fresh(app.clone()));
    let probing = tokio::spawn(keep_probing(app.clone()));
    let time = tokio::spawn(keep_time(app.clone()));
    let awake = tokio::spawn(keep_awake(app.clone()));
    let (stopping, stopped) = tokio::sync::watch::channel(false);
    // Connections, and the polls that hang on them, have threads of their own: see `router`.
    let runtime = Connections(Some(
        Builder::new_multi_thread().thread_name("connections").enable_all().build()?,
    ));
    let router = router(app.clone(), &Handle::current());
    let metrics = app.metrics().connections();
    let mut server =
        runtime.handle()?.spawn(connections::serve(listener, router, limits, metrics, stopped));
    let overtime = async {
        stop.await;
        app.stop();
        stopping.send_replace(true);
        tokio::time::sleep(GRACE).await;
    };
    let result = tokio::select! {
        result = &mut server => result.map_err(io::Error::other),
        () = overtime => {
            tracing::warn!("some clients did not let go; closing anyway");
            Ok(())
        }
    };
    watch.abort();
    fresh.abort();
    probing.abort();
    time.abort();
    awake.abort();
    drop(runtime);
    time::stop(&app).await;
    app.store().close().await;
    result
}

/// The runtime of the connections: its end waits for nothing that still runs there.
struct Connections(Option<Runtime>);

impl Connections {
    fn handle(&self) -> io::Result<&Handle> {
        let runtime = self.0.as_ref().ok_or_else(|| io::Error::other("no runtime"))?;
        Ok(runtime.handle())
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
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
