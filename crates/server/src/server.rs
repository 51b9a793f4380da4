//! Runs the interface on its sockets until it is told to stop.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use rustix::process::{Resource, getrlimit};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::app::App;
use crate::config::Config;
use crate::connections::{self, Limits};
use crate::listeners::{Listeners, Open};
use crate::outbox;
use crate::routes::router_for;
use crate::tasks::escalations::keep_escalating;
use crate::tasks::feed::keep_fresh;
use crate::tasks::incidents::keep_checking;
use crate::tasks::keys::keep_keys;
use crate::tasks::on_call::keep_asking;
use crate::tasks::readiness::keep_probing;
use crate::tasks::reviews::keep_counting_reviews;
use crate::tasks::rotations::keep_rotating;
use crate::tasks::sessions::keep_sweeping;
use crate::tasks::time::{self, keep_time};
use crate::tasks::trail_heads::keep_telling;
use crate::tasks::unreached::keep_saying;
use crate::tasks::waits::keep_awake;
use crate::tls::Endpoint;

/// How often the files of certificates are looked at: other content is in use after the second look that finds it.
const CERTIFICATE_WATCH: Duration = Duration::from_secs(1);

/// How long requests under way may take once the service is told to stop: with what comes after, it ends within 10 s.
const GRACE: Duration = Duration::from_secs(9);

/// How many files the service needs beside those of its connections, at most.
const OTHER_FILES: usize = 256;

/// Serves until `stop` is ready, then lets the answers under way finish, and closes the database.
///
/// # Errors
/// When the socket fails, or the system gives no threads.
pub async fn serve(
    app: App,
    listeners: impl Into<Listeners>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let limits = limits(&app.config());
    serve_within(limits, app, listeners, stop).await
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
    listeners: impl Into<Listeners>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    app.waits().limit(limits.waits());
    let watch = tokio::spawn(keep_keys(app.clone()));
    let fresh = tokio::spawn(keep_fresh(app.clone()));
    let probing = tokio::spawn(keep_probing(app.clone()));
    let time = tokio::spawn(keep_time(app.clone()));
    let certificates = tokio::spawn(watch_certificates(app.clone()));
    let telling = tokio::spawn(keep_telling(app.clone()));
    let awake = tokio::spawn(keep_awake(app.clone()));
    let sweeping = tokio::spawn(keep_sweeping(app.clone()));
    let delivering = tokio::spawn(outbox::keep(app.clone()));
    let saying = tokio::spawn(keep_saying(app.clone()));
    let escalating = tokio::spawn(keep_escalating(app.clone()));
    let asking = tokio::spawn(keep_asking(app.clone()));
    let rotating = tokio::spawn(keep_rotating(app.clone()));
    let counting = tokio::spawn(keep_counting_reviews(app.clone()));
    let checking = tokio::spawn(keep_checking(app.clone()));
    let (stopping, stopped) = tokio::sync::watch::channel(false);
    // Connections, and the polls that hang on them, have threads of their own: see `router`.
    let runtime = Connections(Some(
        Builder::new_multi_thread().thread_name("connections").enable_all().build()?,
    ));
    let with_router = |Open { listener, serves, .. }: Open| {
        (listener, router_for(app.clone(), &Handle::current(), serves))
    };
    let listeners = listeners.into().into_open().into_iter().map(with_router).collect();
    let metrics = app.metrics().connections();
    let mut server =
        runtime.handle()?.spawn(connections::serve_all(listeners, limits, metrics, stopped));
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
    sweeping.abort();
    delivering.abort();
    saying.abort();
    rotating.abort();
    escalating.abort();
    asking.abort();
    counting.abort();
    checking.abort();
    telling.abort();
    certificates.abort();
    drop(runtime);
    time::stop(&app).await;
    app.outbox().close().await;
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

async fn watch_certificates(app: App) {
    join_all(app.tls().iter().cloned().map(watch_endpoint)).await;
}

/// Looks at the files of certificates, on a thread of its own: a file system that is gone keeps nothing else.
async fn watch_endpoint(endpoint: Arc<Endpoint>) {
    loop {
        tokio::time::sleep(CERTIFICATE_WATCH).await;
        let (done, looked) = tokio::sync::oneshot::channel();
        let endpoint = Arc::clone(&endpoint);
        std::thread::spawn(move || {
            endpoint.look();
            // The service may have ended meanwhile.
            let _ = done.send(());
        });
        // It has panicked, if it says nothing; the next look is another thread's.
        let _ = looked.await;
    }
}
