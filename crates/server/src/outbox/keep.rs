//! What happens to deliveries in the background: events are read, each sink has its worker, what is old goes, and the metrics
//! have what waits.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::cursor::{self, Read};
use super::database::Database;
use super::source::Source;
use super::worker;
use crate::app::App;
use crate::evidence::EvidenceError;
use crate::store::StoreError;

/// How often the sources are looked at without reason: for what another process did.
const LOOK: Duration = Duration::from_secs(1);

/// How soon it is tried again after a failure.
const AGAIN: Duration = Duration::from_secs(2);

/// How often what waits is counted.
const COUNT: Duration = Duration::from_secs(5);

/// How often it is looked for what is old.
const SWEEP: Duration = Duration::from_secs(60);

/// How long other changes have between two steps of the sweep.
const PAUSE: Duration = Duration::from_millis(100);

/// Delivers events for as long as the service runs.
pub async fn keep(app: App) {
    let database = open(&app).await;
    begin(&app, &database).await;
    tokio::join!(read(&app, &database), work(&app, &database), upkeep(&app, &database));
}

/// Opens the database when there is a sink, or was one: where there is none, what happens is read all the same, so that a sink
/// which comes back is not told of it.
async fn open(app: &App) -> Database {
    let mut news = app.news();
    let mut failing = false;
    loop {
        news.borrow_and_update();
        if !app.config().sinks.is_empty() || app.outbox().path().exists() {
            match app.outbox().open().await {
                Ok(database) => return database,
                Err(cause) if !failing => {
                    let path = app.outbox().path().display();
                    tracing::error!(%path, %cause, "the database of deliveries cannot be opened: no sink is told of anything");
                    failing = true;
                }
                Err(_) => {}
            }
            tokio::time::sleep(AGAIN).await;
        } else {
            let _ = timeout(LOOK, news.changed()).await;
        }
    }
}

/// Reads once before anything is delivered: from here on nothing that happens is missed.
async fn begin(app: &App, database: &Database) {
    while let Err(cause) = read_all(app, database).await {
        tracing::error!(%cause, "events are not read for the sinks: it is tried again");
        tokio::time::sleep(AGAIN).await;
    }
}

/// Reads what is new, at each change.
async fn read(app: &App, database: &Database) {
    let (mut news, mut alerts) = (app.news(), app.evidence().alert_news());
    let mut failing = false;
    loop {
        // Before the look, so that no change falls between the two.
        news.borrow_and_update();
        alerts.borrow_and_update();
        match read_all(app, database).await {
            Ok(()) => failing = false,
            Err(cause) => {
                if !failing {
                    tracing::error!(%cause, "events are not read for the sinks: it is tried again");
                }
                failing = true;
                tokio::time::sleep(AGAIN).await;
            }
        }
        tokio::select! {
            _ = timeout(LOOK, news.changed()) => {}
            Ok(()) = alerts.changed() => {}
        }
    }
}

async fn read_all(app: &App, database: &Database) -> Result<(), EvidenceError> {
    for source in Source::ALL {
        loop {
            match cursor::read(app, database, *source).await {
                Ok(Read::More) => app.outbox().queued.notify_waiters(),
                Ok(Read::UpTo(place)) => {
                    if *source == Source::Events {
                        app.outbox().read.send_replace(place);
                    }
                    break;
                }
                // The alerts wait for their database, and hold up no event.
                Err(EvidenceError::Unavailable) => break,
                Err(cause) => return Err(cause),
            }
        }
    }
    Ok(())
}

/// The workers, which end with this.
#[derive(Default)]
struct Workers(BTreeMap<String, JoinHandle<()>>);

impl Drop for Workers {
    fn drop(&mut self) {
        self.0.values().for_each(JoinHandle::abort);
    }
}

/// Sees that each sink has a worker. One whose sink has gone ends by itself.
async fn work(app: &App, database: &Database) {
    let mut workers = Workers::default();
    let mut news = app.news();
    loop {
        news.borrow_and_update();
        workers.0.retain(|_, worker| !worker.is_finished());
        for sink in &app.config().sinks {
            if !workers.0.contains_key(&sink.name) {
                let worker = worker::run(app.clone(), database.clone(), sink.name.clone());
                workers.0.insert(sink.name.clone(), tokio::spawn(worker));
            }
        }
        let _ = timeout(LOOK, news.changed()).await;
    }
}

async fn upkeep(app: &App, database: &Database) {
    let mut swept: Option<Instant> = None;
    loop {
        if let Err(cause) = count(app, database).await {
            tracing::debug!(%cause, "deliveries are not counted");
        }
        if swept.is_none_or(|at| at.elapsed() >= SWEEP) {
            swept = Some(Instant::now());
            // By the earliest time that it could be: what is removed does not come back.
            loop {
                match database.sweep(app.floor()).await {
                    Ok(true) => tokio::time::sleep(PAUSE).await,
                    Ok(false) => break,
                    Err(cause) => {
                        tracing::warn!(%cause, "old deliveries stay for now");
                        break;
                    }
                }
            }
        }
        tokio::time::sleep(COUNT).await;
    }
}

async fn count(app: &App, database: &Database) -> Result<(), StoreError> {
    let waiting = database.waiting().await?;
    let now = app.now().millis();
    let metrics = app.metrics().deliveries();
    metrics.forget_sinks();
    for sink in &app.config().sinks {
        let waiting = waiting.get(&sink.name).copied().unwrap_or_default();
        let age = waiting.oldest_ms.map_or(0, |oldest| now.saturating_sub(oldest).max(0));
        let state = app.outbox().states().remove(&sink.name).unwrap_or_default();
        metrics.waiting(&sink.name, waiting.waiting, waiting.dead, age.div_euclid(1000));
        metrics.circuit(&sink.name, state.circuit);
    }
    Ok(())
}
