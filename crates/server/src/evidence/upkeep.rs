//! What happens to the evidence database in the background: it is opened, attempts are written, old heads go, and what came
//! without a page is said.

use std::time::Duration;

use breakglass_api::trail::ServiceAction;
use serde_json::json;
use tokio::time::Instant;

use super::EvidenceError;
use crate::app::App;
use crate::clock::Moment;
use crate::store::SERVICE;

/// How often attempts are written.
const WRITE_EVERY: Duration = Duration::from_millis(500);

/// How many in one transaction.
const BATCH: usize = 100;

/// How soon the file is opened again after a failure, and attempts are written again.
const AGAIN: Duration = Duration::from_secs(2);

/// How often retention looks for what is old.
const RETAIN_EVERY: Duration = Duration::from_secs(60);

/// How often it is looked for classes of alerts whose hour without pages is over.
const SAY_EVERY: Duration = Duration::from_secs(2);

/// How much longer than a step of retention takes the next one waits: it has the lock for a fifth of the time.
const PAUSE: u32 = 4;

/// How long the last attempts may take at the end.
const LAST: Duration = Duration::from_secs(2);

/// Keeps the evidence database for as long as the service runs.
pub async fn keep(app: App) {
    tokio::join!(open(&app), write(&app), retain(&app), say_unpaged(&app));
}

impl App {
    /// Opens the evidence database ([`super::Evidence::open`]). That it was made is an act of the service on the
    /// trail: heads that were in another file are not in this one.
    ///
    /// # Errors
    /// [`EvidenceError`] if it cannot be opened.
    pub async fn open_evidence(&self) -> Result<(), EvidenceError> {
        let Some(copied) = self.evidence().open().await? else { return Ok(()) };
        let path = self.evidence().path().display().to_string();
        let detail = json!({ "file": path, "last_head_copied": copied });
        let noted =
            self.store().note_act(self.now(), SERVICE, ServiceAction::EvidenceMade, &detail);
        if let Err(cause) = noted.await {
            tracing::warn!(%cause, path, "a new evidence database is not on the trail");
        }
        Ok(())
    }

    /// Writes what waits, and closes the evidence database: for the end of the service.
    pub async fn close_evidence(&self) {
        let evidence = self.evidence();
        let flush = async {
            while let due = evidence.recorder().due(BATCH, true)
                && !due.is_empty()
            {
                evidence.keep_attempts(&due).await?;
                evidence.recorder().written(due.len());
            }
            Ok::<_, EvidenceError>(())
        };
        let failed = match tokio::time::timeout(LAST, flush).await {
            Ok(Ok(())) => None,
            Ok(Err(cause)) => Some(cause.to_string()),
            Err(_) => Some("out of time".to_owned()),
        };
        let lost = evidence.recorder().give_up();
        if let Some(cause) = failed {
            tracing::warn!(cause, lost, "refused attempts are lost");
        }
        self.metrics().lost_attempts(evidence.recorder().take_lost());
        evidence.close().await;
    }
}

/// Opens it, as often as it takes.
async fn open(app: &App) {
    let mut said: Option<String> = None;
    while let Err(cause) = app.open_evidence().await {
        let cause = cause.to_string();
        if said.as_ref() != Some(&cause) {
            let path = app.evidence().path().display();
            tracing::error!(
                %path,
                cause,
                "the evidence database cannot be opened: heads and refused attempts are not kept"
            );
            said = Some(cause);
        }
        tokio::time::sleep(AGAIN).await;
    }
    if said.is_some() {
        tracing::info!("the evidence database is open");
    }
}

async fn write(app: &App) {
    let evidence = app.evidence();
    let mut failing = false;
    loop {
        let due = evidence.recorder().due(BATCH, false);
        let lost = evidence.recorder().take_lost();
        if lost > 0 {
            app.metrics().lost_attempts(lost);
        }
        let result = match due.is_empty() || !evidence.is_open() {
            true => Ok(()),
            false => evidence.keep_attempts(&due).await.inspect(|()| {
                evidence.recorder().written(due.len());
            }),
        };
        if let Err(cause) = &result
            && !failing
        {
            tracing::error!(%cause, "refused attempts cannot be written: they are tried again");
        }
        failing = result.is_err();
        let wait = match result {
            Err(_) => AGAIN,
            Ok(()) if due.len() >= BATCH && evidence.is_open() => Duration::ZERO,
            Ok(()) => WRITE_EVERY,
        };
        tokio::time::sleep(wait).await;
    }
}

async fn retain(app: &App) {
    loop {
        tokio::time::sleep(RETAIN_EVERY).await;
        // By the earliest time that it could be: what is removed does not come back.
        if let Err(cause) = retain_once(app, app.floor()).await {
            tracing::warn!(%cause, "old evidence is not removed");
        }
    }
}

/// Does all that is to be done now, in steps.
async fn retain_once(app: &App, now: Moment) -> Result<(), EvidenceError> {
    let evidence = app.evidence();
    if !evidence.is_open() {
        return Ok(());
    }
    let config = app.config();
    let ago = |seconds: i64| Moment::from_seconds(now.seconds().saturating_sub(seconds));
    let (thin, remove) = (ago(config.evidence_thin_after), ago(config.evidence_retention));
    evidence.advance_retention(thin, remove).await?;
    while let start = Instant::now()
        && evidence.thin().await?
    {
        tokio::time::sleep(start.elapsed().saturating_mul(PAUSE)).await;
    }
    while let start = Instant::now()
        && evidence.remove().await?
    {
        tokio::time::sleep(start.elapsed().saturating_mul(PAUSE)).await;
    }
    Ok(())
}

/// Says how many alerts came without a page, when their hour is over: no other alert may come that would say it.
async fn say_unpaged(app: &App) {
    let mut failing = false;
    loop {
        tokio::time::sleep(SAY_EVERY).await;
        if !app.evidence().is_open() {
            continue;
        }
        let said = app.evidence().say_unpaged_alerts(app.now(), app.randomness()).await;
        match &said {
            Ok(classes) => app.metrics().alerts().summaries(classes),
            Err(cause) if !failing => {
                tracing::error!(%cause, "how many alerts came without a page cannot be said: it is tried again");
            }
            Err(_) => {}
        }
        failing = said.is_err();
    }
}
