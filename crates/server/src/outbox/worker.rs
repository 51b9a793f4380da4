//! The worker of one sink: takes what is due, makes the attempts, and writes down what came of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::backoff;
use super::breaker::Breaker;
use super::database::Database;
use super::queue::{Due, Next};
use super::sink_state::SinkState;
use super::takers::{NotAddressed, address};
use crate::app::App;
use crate::clock::Moment;
use crate::config::Sink;
use crate::sinks::{self, Addressee, Event, For, Notice, Outcome};
use crate::store::StoreError;

/// How many attempts are under way at one sink.
const AT_ONCE: usize = 8;

/// How often it is looked without reason.
const LOOK: Duration = Duration::from_secs(1);

/// How much longer than its own limit an attempt may take before it counts as failed.
const MARGIN: Duration = Duration::from_secs(2);

/// How often what came of an attempt is written down, where the database does not do it.
const SETTLE_TRIES: u32 = 5;

/// How long it is waited between two of these.
const SETTLE_AGAIN: Duration = Duration::from_millis(500);

/// What is known of the sink from one step to the next.
struct Worker {
    app: App,
    database: Database,
    name: String,
    breaker: Breaker,
    error: Option<String>,
    started: Instant,
    under_way: JoinSet<(Due, Arc<Sink>, Outcome)>,
}

/// Works until the configuration does not name the sink any more.
pub(super) async fn run(app: App, database: Database, name: String) {
    let worker = Worker {
        app,
        database,
        name,
        breaker: Breaker::default(),
        error: None,
        started: Instant::now(),
        under_way: JoinSet::new(),
    };
    worker.work().await;
}

impl Worker {
    async fn work(mut self) {
        // As long as a receiver may ask for, and an attempt may take.
        let longest = millis(backoff::LONGEST.saturating_mul(7));
        let taken = self.database.take_back_times(self.app.now(), &self.name, longest).await;
        if let Err(cause) = taken {
            tracing::warn!(sink = self.name, %cause, "times of deliveries are not looked at");
        }
        let mut failing = false;
        loop {
            let app = self.app.clone();
            let queued = app.outbox().queued.notified();
            tokio::pin!(queued);
            // From here on nothing that is queued is missed.
            queued.as_mut().enable();
            let sink = app.config().sinks.iter().find(|sink| sink.name == self.name).cloned();
            let Some(sink) = sink.map(Arc::new) else {
                while let Some(done) = self.under_way.join_next().await {
                    self.settle(done.ok()).await;
                }
                return app.outbox().states.remove(&self.name);
            };
            let wait = match self.begin(&sink).await {
                Ok(wait) => {
                    failing = false;
                    wait
                }
                Err(cause) => {
                    if !failing {
                        tracing::error!(sink = self.name, %cause, "nothing is delivered: it is tried again");
                    }
                    failing = true;
                    LOOK
                }
            };
            self.tell();
            tokio::select! {
                Some(done) = self.under_way.join_next() => self.settle(done.ok()).await,
                () = &mut queued => {}
                () = sleep(wait) => {}
            }
        }
    }

    /// Milliseconds of a clock that only goes forward.
    fn steady(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn chance(&self) -> u8 {
        let [chance] = self.app.randomness().bytes();
        chance
    }

    fn tell(&self) {
        let state =
            SinkState { circuit: self.breaker.circuit(self.steady()), error: self.error.clone() };
        self.app.outbox().states.put(&self.name, state);
    }

    /// Begins as many attempts as there is room for; how long to wait for the next look.
    async fn begin(&mut self, sink: &Arc<Sink>) -> Result<Duration, StoreError> {
        let steady = self.steady();
        if let Some(at) = self.breaker.opens_at(steady) {
            return Ok(Duration::from_millis(at.saturating_sub(steady)).min(LOOK));
        }
        let room = self.breaker.room(steady, AT_ONCE).saturating_sub(self.under_way.len());
        if room == 0 {
            return Ok(LOOK);
        }
        let now = self.app.now();
        let Some(first) = self.database.next_due(&self.name).await? else { return Ok(LOOK) };
        let ahead = first.saturating_sub(now.millis());
        if ahead > 0 {
            return Ok(Duration::from_millis(ahead.unsigned_abs()).min(LOOK));
        }
        // Twice the margin: until then what came of it is written down.
        let lease = sink.reach.timeout.saturating_add(MARGIN.saturating_mul(2));
        let failed_ms = now.millis().saturating_add(millis(lease));
        let taken = self.database.take_due(now, &self.name, failed_ms, room).await?;
        taken.given_up.into_iter().for_each(|event| self.app.outbox().ended(event));
        for due in taken.due {
            self.breaker.begin();
            let (app, sink) = (self.app.clone(), Arc::clone(sink));
            self.under_way.spawn(async move {
                let outcome = attempt(&app, &sink, &due).await;
                (due, sink, outcome)
            });
        }
        Ok(LOOK)
    }

    /// Writes down what came of an attempt.
    async fn settle(&mut self, done: Option<(Due, Arc<Sink>, Outcome)>) {
        // Its task was ended with the service.
        let Some((due, sink, outcome)) = done else { return };
        let (now, steady) = (self.app.now(), self.steady());
        let next = match &outcome {
            Outcome::Delivered { .. } => {
                self.breaker.succeeded();
                self.error = None;
                Next::Delivered
            }
            Outcome::Refused { cause } => {
                let chance = self.chance();
                self.breaker.failed(steady, chance);
                self.error = Some(cause.clone());
                Next::Dead
            }
            Outcome::Failed { cause, after } => {
                match after {
                    // It answers, and says when to come again.
                    Some(pause) => self.breaker.pause(steady, *pause),
                    None => {
                        let chance = self.chance();
                        self.breaker.failed(steady, chance);
                    }
                }
                self.error = Some(cause.clone());
                self.again(now, &sink, &due, *after)
            }
            Outcome::Bounced { again, .. } => {
                // It answers: others get their letters.
                self.breaker.succeeded();
                match again {
                    true => self.again(now, &sink, &due, None),
                    false => Next::Dead,
                }
            }
            Outcome::NotSent { .. } => {
                self.breaker.unused();
                Next::Dead
            }
        };
        self.say(&due, next, &outcome);
        if let (Next::Delivered, Some(at)) = (next, due.happened_ms()) {
            let lag = now.millis().saturating_sub(at);
            self.app.metrics().deliveries().delivered(&self.name, lag);
        }
        for _ in 0..SETTLE_TRIES {
            let settled = self.database.settle(now, &self.name, &due, next, outcome.words()).await;
            match settled {
                Ok(()) => {
                    if !matches!(next, Next::Again(_)) {
                        self.app.outbox().ended(due.event);
                    }
                    return;
                }
                Err(cause) => {
                    tracing::warn!(sink = self.name, event = due.event, %cause, "what came of an attempt is not written down");
                    sleep(SETTLE_AGAIN).await;
                }
            }
        }
    }

    /// When it is tried again, if at all.
    fn again(&self, now: Moment, sink: &Sink, due: &Due, after: Option<Duration>) -> Next {
        let wait = millis(backoff::wait(due.attempts, self.chance(), after));
        let ends = due.queued_ms.saturating_add(millis(sink.retry_for));
        match now.millis() >= ends {
            true => Next::Dead,
            // The last attempt is made when its time is over, and no later.
            false => Next::Again(now.millis().saturating_add(wait).min(ends)),
        }
    }

    fn say(&self, due: &Due, next: Next, outcome: &Outcome) {
        let metrics = self.app.metrics().deliveries();
        let (sink, event, attempts) = (&self.name, &due.event, due.attempts);
        match next {
            Next::Delivered => {
                metrics.attempted(sink, "delivered");
                tracing::debug!(sink, event, attempts, receipt = outcome.words(), "delivered");
            }
            // What a person may not hear any more, or asked not to, is no failure.
            Next::Dead if matches!(outcome, Outcome::NotSent { .. }) => {
                metrics.attempted(sink, "dead");
                tracing::info!(
                    sink,
                    event,
                    person = due.recipient,
                    cause = outcome.words(),
                    "not sent"
                );
            }
            Next::Dead => {
                metrics.attempted(sink, "dead");
                tracing::error!(
                    sink,
                    event,
                    attempts,
                    cause = outcome.words(),
                    "a delivery is given up: `breakglass events replay` tries it again"
                );
            }
            Next::Again(_) => {
                metrics.attempted(sink, "failed");
                // Once, and not at each attempt of a day.
                match due.attempts {
                    1 => tracing::warn!(
                        sink,
                        event,
                        cause = outcome.words(),
                        "not delivered: it is tried again"
                    ),
                    _ => tracing::debug!(
                        sink,
                        event,
                        attempts,
                        cause = outcome.words(),
                        "not delivered"
                    ),
                }
            }
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The person to whom it goes, where the sink writes to people.
async fn addressee(
    app: &App,
    sink: &Sink,
    notice: &Notice,
    recipient: &str,
) -> Result<Option<Addressee>, NotAddressed> {
    let other_kind = NotAddressed::Person("the sink was told of it in another way than now");
    match (sink.writes_to_people(), recipient.is_empty()) {
        (false, true) => Ok(None),
        (true, false) => {
            let address = address(app, notice, recipient).await?;
            Ok(Some(Addressee { person: recipient.to_owned(), address }))
        }
        (true, true) | (false, false) => Err(other_kind),
    }
}

/// Makes one attempt.
async fn attempt(app: &App, sink: &Arc<Sink>, due: &Due) -> Outcome {
    let failed = |cause: String| Outcome::Failed { cause, after: None };
    let notice: Notice = match serde_json::from_str(&due.notice) {
        Ok(notice) => notice,
        Err(error) => return Outcome::Refused { cause: format!("it cannot be read: {error}") },
    };
    let to = match addressee(app, sink, &notice, &due.recipient).await {
        Ok(to) => to,
        Err(NotAddressed::Person(cause)) => return Outcome::NotSent { cause: cause.to_owned() },
        Err(NotAddressed::Store(error)) => return failed(error.to_string()),
    };
    let limit = sink.reach.timeout.saturating_add(MARGIN);
    let (now, source, sink) = (app.now(), app.issuer().name().to_owned(), Arc::clone(sink));
    let work = move || {
        let to = to.as_ref();
        let event = Event { notice: &notice, source: &source, now, purpose: For::Sending, to };
        sinks::send(&sink, event)
    };
    sinks::on_own_thread(limit, work).await
}
