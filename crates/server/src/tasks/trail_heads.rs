//! Tells the head of the trail where the configuration says, each minute in which it has moved on. A place that does not take
//! it is said in the log, counted, and tried again with the next head; no change of state waits for it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use ureq::Agent;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::app::App;
use crate::config::TrailHeads;
use crate::store::TrailHead;

/// How often.
const INTERVAL: Duration = Duration::from_secs(60);

/// How long a place may take.
const LIMIT: Duration = Duration::from_secs(10);

/// The places, as metrics and `GET /healthz?detail=1` name them.
const LOG: &str = "log";
const FILE: &str = "file";
const URL: &str = "url";

/// Where heads are read.
const DATABASE: &str = "database";

/// What each place was told last.
#[derive(Debug, Default)]
struct Told {
    log: Option<TrailHead>,
    file: Place,
    url: Place,
}

/// A place that can take its time.
#[derive(Debug, Default)]
struct Place {
    told: Option<TrailHead>,
    /// The attempt that has not ended.
    under_way: Option<oneshot::Receiver<Result<(), String>>>,
}

/// Tells it for as long as the service runs.
pub async fn keep_telling(app: App) {
    let mut told = Told::default();
    loop {
        tell(&app, &mut told).await;
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn tell(app: &App, told: &mut Told) {
    let config = app.config();
    let places = config.trail_heads.as_ref();
    app.untold_heads().keep(|place| places.is_some_and(|places| has(places, place)));
    let Some(places) = places else { return };
    let (head, line) = match app.store().signed_head(app.now()).await {
        Ok((head, line)) => (head, line.to_string()),
        Err(cause) => {
            tracing::error!(%cause, "the head of the trail cannot be read");
            return told_at(app, DATABASE, Err(cause.to_string()));
        }
    };
    app.untold_heads().take(DATABASE, app.now(), Ok(()));
    if places.log && told.log.as_ref() != Some(&head) {
        tracing::info!(head = line, "head of the trail");
        told_at(app, LOG, Ok(()));
        told.log = Some(head.clone());
    }
    if let Some(path) = places.file.clone().filter(|_| told.file.told.as_ref() != Some(&head)) {
        let line = line.clone();
        let append =
            move || append(&path, &line).map_err(|error| format!("{}: {error}", path.display()));
        let result = told.file.attempt(append).await;
        if is_taken(app, FILE, result) {
            told.file.told = Some(head.clone());
        }
    }
    if places.url.is_some() && told.url.told.as_ref() != Some(&head) {
        let places = places.clone();
        let result = told.url.attempt(move || put(&places, &line)).await;
        if is_taken(app, URL, result) {
            told.url.told = Some(head);
        }
    }
}

/// Whether heads are told there.
fn has(places: &TrailHeads, place: &str) -> bool {
    match place {
        LOG => places.log,
        FILE => places.file.is_some(),
        URL => places.url.is_some(),
        // Heads come from there, wherever they go.
        _ => true,
    }
}

/// Counts how telling a place ended, and keeps why it failed.
fn told_at(app: &App, place: &'static str, result: Result<(), String>) {
    app.metrics().service().told_head(place, result.is_ok());
    app.untold_heads().take(place, app.now(), result);
}

/// Says how telling a place ended.
fn is_taken(app: &App, place: &'static str, result: Result<(), String>) -> bool {
    if let Err(cause) = &result {
        tracing::error!(cause, place, "the head of the trail was not taken there");
    }
    let is_taken = result.is_ok();
    told_at(app, place, result);
    is_taken
}

impl Place {
    /// Does it on a thread of its own. A file system that does not answer keeps that one thread: neither another one each
    /// minute, nor the end of the service, which waits for the threads of the runtime.
    async fn attempt(
        &mut self,
        work: impl FnOnce() -> Result<(), String> + Send + 'static,
    ) -> Result<(), String> {
        if let Some(earlier) = &mut self.under_way {
            if timeout(LIMIT, earlier).await.is_err() {
                return Err("the attempt before this one has not ended".to_owned());
            }
            self.under_way = None;
        }
        let (send, mut ended) = oneshot::channel();
        let thread = thread::Builder::new().name("trail-heads".to_owned()).spawn(move || {
            // The service may have ended meanwhile.
            let _ = send.send(work());
        });
        thread.map_err(|error| error.to_string())?;
        match timeout(LIMIT, &mut ended).await {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => {
                self.under_way = Some(ended);
                Err(format!("it took longer than {} s", LIMIT.as_secs()))
            }
        }
    }
}

fn append(path: &Path, line: &str) -> io::Result<()> {
    // After a line that was cut off, such as by a full disk, a new one.
    let begin = if ends_within_a_line(path)? { "\n" } else { "" };
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    file.write_all(format!("{begin}{line}\n").as_bytes())?;
    file.sync_all()
}

fn ends_within_a_line(path: &Path) -> io::Result<bool> {
    let length = match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => metadata.len(),
        Ok(_) => 0,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    let Some(last) = length.checked_sub(1) else { return Ok(false) };
    let mut byte = [0];
    File::open(path)?.read_exact_at(&mut byte, last)?;
    Ok(byte != *b"\n")
}

fn put(places: &TrailHeads, line: &str) -> Result<(), String> {
    let url = places.url.as_deref().unwrap_or_default();
    let failed = |error: &dyn std::fmt::Display| format!("{url}: {error}");
    let mut config = Agent::config_builder()
        .timeout_global(Some(LIMIT))
        .proxy(None)
        // The credential goes to the place that was named, and to no other.
        .max_redirects(0);
    if let Some(path) = &places.ca_file {
        let roots = RootCerts::from(certificates(path)?);
        config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
    }
    let mut request =
        Agent::from(config.build()).put(url).header("content-type", "application/json");
    if let Some(path) = &places.token_file {
        let token =
            fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        request = request.header("authorization", format!("Bearer {}", token.trim()));
    }
    let answer = request.send(line).map_err(|error| failed(&error))?;
    match answer.status().is_success() {
        true => Ok(()),
        false => Err(failed(&format!("expected a status 2xx, got {}", answer.status()))),
    }
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let pem = fs::read(path).map_err(|error| failed(&error))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| failed(&error))? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(failed(&"expected certificates in PEM"));
    }
    Ok(certificates)
}
