//! `breakglass serve`: runs the approval service.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::level_filters::LevelFilter;

use crate::client::Failure;
use crate::exit::Exit;
use crate::terminal::Terminal;
use breakglass_server::app::{App, Configured};
use breakglass_server::clock::{Clock, Moment, SystemClock};
use breakglass_server::config::{Config, ResolvedListener};
use breakglass_server::database_lock::DatabaseLock;
use breakglass_server::domain;
use breakglass_server::evidence;
use breakglass_server::issuer::{FirstKey, Issuer, Rings, TrailKeys};
use breakglass_server::key_schedule::PUBLISH_S;
use breakglass_server::key_switch;
use breakglass_server::listeners::Listeners;
use breakglass_server::look::Look;
use breakglass_server::memory_guard::forbid_dumps;
use breakglass_server::metrics::Metrics;
use breakglass_server::metrics_server;
use breakglass_server::random::Randomness;
use breakglass_server::reload::{Attempt, ConfigFile};
use breakglass_server::server;
use breakglass_server::store::Store;
use breakglass_server::tasks::reload::{self, keep_reloading};
use breakglass_server::timekeeper::Timekeeper;

/// How long the start waits for the evidence database.
const EVIDENCE_PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The configuration, in TOML: a file, or a folder whose files `*.toml` are merged.
    #[arg(long, value_name = "PATH")]
    config: PathBuf,

    /// Listen here instead; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,

    /// Serve /metrics here as well, and nothing else, so that a network can let Prometheus in to nothing more.
    #[arg(long, value_name = "ADDRESS")]
    metrics_listen: Option<SocketAddr>,

    /// Write the service's URL to this file once it listens.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,

    /// Check the configuration, say what is wrong with it, and end.
    #[arg(long)]
    check: bool,

    /// Believe the clock of this machine from now on, where the service found it set. For one start: not for a
    /// unit file or a manifest.
    #[arg(long)]
    accept_clock: bool,

    /// How much to log, on stderr: error, warn, info, debug.
    #[arg(long, env = "BREAKGLASS_LOG", default_value = "info", value_name = "LEVEL")]
    log: LevelFilter,
}

pub(crate) fn run(args: &Args, terminal: Terminal) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(error.to_string()))?;
    let signals = {
        let _runtime = runtime.enter();
        Signals::take().map_err(|error| Failure::Failed(error.to_string()))?
    };
    let Attempt { look, result } = ConfigFile::read(&args.config, &[]);
    let file = result
        .map_err(|error| Failure::Invalid(format!("the configuration is not valid:\n{error}")))?;
    if args.check {
        let warnings = file.warnings();
        let text = ["valid".to_owned()].into_iter().chain(warnings.clone()).collect::<Vec<_>>();
        terminal.result(&text.join("\n"), &json!({ "valid": true, "warnings": warnings }))?;
        return Ok(Exit::Done);
    }
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_target(false)
        .with_max_level(args.log)
        .init();
    for warning in file.warnings() {
        tracing::warn!("{warning}");
    }
    raise_file_limit();
    forbid_dumps();
    runtime.block_on(serve(args, file, look, signals))?;
    Ok(Exit::Done)
}

async fn serve(args: &Args, file: ConfigFile, look: Look, signals: Signals) -> Result<(), Failure> {
    let wanted = wanted(args.listen, &file.config)?;
    // Before the database is opened, and until the process has ended.
    let mut lock = DatabaseLock::take(&file.config.database, started_at())
        .map_err(|error| Failure::Failed(error.to_string()))?;
    lock.describe(&addresses(&wanted));
    let ConfigFile { config, definitions, digest, .. } = file;
    let app = assemble(
        Configured { config, definitions, digest: Some(digest.clone()) },
        args.accept_clock,
    )
    .await?;
    app.reloads().started_with(digest);
    reload::applied(&app);
    let listeners =
        Listeners::open(&app, wanted).await.map_err(|error| Failure::Failed(error.to_string()))?;
    let url = listeners.url().to_owned();
    lock.describe(&listeners.urls().join(", "));
    let metrics =
        match args.metrics_listen {
            Some(address) => Some(metrics_server::start(&app, address).await.map_err(|error| {
                Failure::Failed(format!("--metrics-listen {address}: {error}"))
            })?),
            None => None,
        };
    if let Some(path) = &args.ready_file {
        write_whole(path, &url)
            .map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?;
    }
    let Signals { hangup, terminate, interrupt } = signals;
    let upkeep = tokio::spawn(evidence::keep(app.clone()));
    let reloading = tokio::spawn(keep_reloading(app.clone(), args.config.clone(), look, hangup));
    let served = server::serve(app.clone(), listeners, stop(terminate, interrupt)).await;
    reloading.abort();
    upkeep.abort();
    drop(metrics);
    app.close_evidence().await;
    served.map_err(|error| Failure::Failed(format!("{url}: {error}")))?;
    tracing::info!("stopped");
    Ok(())
}

/// What is to be listened on.
fn wanted(listen: Option<SocketAddr>, config: &Config) -> Result<Vec<ResolvedListener>, Failure> {
    match listen {
        None => Ok(config.resolved_listeners()),
        Some(address) if config.listeners.is_empty() => Ok(vec![config.listener_at(address)]),
        Some(_) => Err(Failure::Invalid(
            "--listen: it stands for `listen` of the configuration, and this one has `listeners`: leave it out".to_owned(),
        )),
    }
}

fn addresses(listeners: &[ResolvedListener]) -> String {
    listeners.iter().map(|one| one.address.to_string()).collect::<Vec<_>>().join(", ")
}

/// For the lock's words to a second process alone: a clock that tells nothing keeps no service from starting.
fn started_at() -> Moment {
    SystemClock.now().unwrap_or(Moment::from_seconds(0))
}

async fn assemble(configured: Configured, accept_clock: bool) -> Result<App, Failure> {
    let config = &configured.config;
    let failed = |error: &dyn std::fmt::Display| Failure::Failed(error.to_string());
    let randomness = Randomness::from_system().map_err(|error| failed(&error))?;
    let trail = TrailKeys::open(&config.key_directory, &config.database, &randomness, started_at())
        .map_err(|error| failed(&error))?;
    let store = Store::open(&config.database, trail)
        .await
        .map_err(|error| Failure::Failed(format!("{}: {error}", config.database.display())))?;
    let timekeeper = Timekeeper::open(Box::new(SystemClock), &store, accept_clock)
        .await
        .map_err(|error| failed(&error))?;
    let now = timekeeper.now();
    let first = FirstKey { now, publish_s: PUBLISH_S, randomness: &randomness };
    let rings = Rings::open(config.key_rings(), first).map_err(|error| failed(&error))?;
    let issuer = Issuer::new(&config.issuer, rings);
    let metrics = Metrics::new().map_err(|error| failed(&error))?;
    let app = App::new(configured, store, issuer, timekeeper, randomness, metrics);
    domain::sessions::load(&app).await.map_err(|error| failed(&error))?;
    if let Err(cause) = key_switch::catch_up(&app) {
        tracing::warn!(%cause, "the switch to a signing key is kept in memory alone");
    }
    open_evidence(&app).await;
    Ok(app)
}

/// Opens the evidence database, if that is a matter of moments. If not, the service begins without it: it is opened
/// in the background, and a revocation does not wait for it.
async fn open_evidence(app: &App) {
    if let Ok(Err(cause)) = tokio::time::timeout(EVIDENCE_PATIENCE, app.open_evidence()).await {
        tracing::warn!(%cause, "starting without the evidence database");
    }
}

/// Each poll that hangs is a file for the system, and the usual soft limit of 1024 is below what
/// the proxies of one installation may be: who approves would find no connection left. What the
/// process may have, it takes.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    match setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        Ok(()) => tracing::debug!(files = limit.maximum, "file limit raised"),
        Err(cause) => tracing::warn!(%cause, files = limit.current, "file limit not raised"),
    }
}

/// The signals that the service takes, also those that come before it waits for them.
struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on none of them ends the process by itself.
    fn take() -> io::Result<Signals> {
        Ok(Signals {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }
}

/// Ready when the service is told to stop.
async fn stop(mut terminate: Signal, mut interrupt: Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
}

/// Who waits for the file sees all of it or nothing.
fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".tmp");
    fs::write(&unfinished, text)?;
    fs::rename(&unfinished, path)
}
