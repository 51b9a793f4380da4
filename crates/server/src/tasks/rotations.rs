//! Calls the hooks of rotations that are owed.
//!
//! A call is written down before it is made, and what came of it afterwards. A process that is killed in between leaves it to be
//! made again, under the same id.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::app::App;
use crate::config::RotationHook;
use crate::domain::{notice_of_rotation, settle_rotation};
use crate::outbox::backoff;
use crate::sinks::{Event, For, Outcome, call_hook, on_own_thread};
use crate::store::{Rotation, StoreError};

/// How many calls are under way at one hook.
const AT_ONCE: usize = 4;

/// How often it is looked without reason.
const LOOK: Duration = Duration::from_secs(1);

/// How often what is owed is counted.
const COUNT: Duration = Duration::from_secs(5);

/// How much longer than its own limit a call may take before it counts as failed.
const MARGIN: Duration = Duration::from_secs(2);

/// The longest time until a next call that this service writes down: as long as a receiver may ask for.
const LONGEST: Duration = backoff::LONGEST.saturating_mul(7);

/// A call that has ended.
struct Called {
    rotation: Rotation,
    hook: Arc<RotationHook>,
    outcome: Outcome,
}

/// The calls of this process.
struct Caller {
    app: App,
    calls: JoinSet<Called>,
    /// How many are under way, by hook.
    under_way: BTreeMap<String, usize>,
    failing: bool,
}

/// Calls them for as long as the service runs.
pub async fn keep_rotating(app: App) {
    let mut news = app.news();
    let mut caller =
        Caller { app, calls: JoinSet::new(), under_way: BTreeMap::new(), failing: false };
    let mut counted: Option<Instant> = None;
    loop {
        // Before the look, so that no change falls between the two.
        news.borrow_and_update();
        let begun = caller.begin().await;
        caller.tell(begun);
        if counted.is_none_or(|at| at.elapsed() >= COUNT) {
            counted = Some(Instant::now());
            caller.count().await;
        }
        tokio::select! {
            Some(done) = caller.calls.join_next() => {
                // A task that ended without an outcome was ended with the service.
                if let Ok(called) = done {
                    caller.settle(called).await;
                    counted = None;
                }
            }
            changed = timeout(LOOK, news.changed()) => {
                // The service ends.
                if let Ok(Err(_)) = changed {
                    sleep(LOOK).await;
                }
            }
        }
    }
}

impl Caller {
    /// Begins the calls that are due, at the hooks of the configuration.
    async fn begin(&mut self) -> Result<(), StoreError> {
        let config = self.app.config();
        for hook in &config.rotations {
            let under_way = self.under_way.get(&hook.name).copied().unwrap_or_default();
            let room = i64::try_from(AT_ONCE.saturating_sub(under_way)).unwrap_or_default();
            if room == 0 {
                continue;
            }
            let now = self.app.now();
            let after = |time: Duration| {
                let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
                now.millis().saturating_add(millis)
            };
            // Twice the margin: until then what came of it is written down.
            let again = after(hook.timeout.saturating_add(MARGIN.saturating_mul(2)));
            let times = (again, after(LONGEST));
            let due = self.app.store().take_due_rotations(now, &hook.name, times, room).await?;
            let hook = Arc::new(hook.clone());
            for rotation in due {
                let count = self.under_way.entry(hook.name.clone()).or_default();
                *count = count.saturating_add(1);
                let (app, hook) = (self.app.clone(), Arc::clone(&hook));
                self.calls.spawn(async move {
                    let outcome = call(&app, &rotation, &hook).await;
                    Called { rotation, hook, outcome }
                });
            }
        }
        Ok(())
    }

    /// Writes down what came of a call. Where the database does not do it, the hook is called again.
    async fn settle(&mut self, Called { rotation, hook, outcome }: Called) {
        if let Some(count) = self.under_way.get_mut(&hook.name) {
            *count = count.saturating_sub(1);
        }
        let now = self.app.now();
        match settle_rotation(&self.app, now, (&rotation, &hook), &outcome).await {
            Ok(()) => {}
            Err(cause) => {
                tracing::warn!(rotation = rotation.id, hook = hook.name, %cause, "what came of a call is not written down");
            }
        }
        // Once, and not at each call of a day.
        if rotation.attempts == 1 && !matches!(outcome, Outcome::Delivered { .. }) {
            let (rotation, hook, cause) = (&rotation.id, &hook.name, outcome.words());
            tracing::warn!(
                rotation,
                hook,
                cause,
                "a hook did not take the call: it is tried again"
            );
        }
    }

    fn tell(&mut self, begun: Result<(), StoreError>) {
        match begun {
            Ok(()) => self.failing = false,
            Err(cause) => {
                if !self.failing {
                    tracing::error!(%cause, "no hook of a rotation is called: it is tried again");
                }
                self.failing = true;
            }
        }
    }

    async fn count(&self) {
        match self.app.store().open_rotations().await {
            Ok(open) => self.app.metrics().rotations().open(open, self.app.now()),
            Err(cause) => tracing::debug!(%cause, "rotations are not counted"),
        }
    }
}

async fn call(app: &App, rotation: &Rotation, hook: &Arc<RotationHook>) -> Outcome {
    let failed = |cause: String| Outcome::Failed { cause, after: None };
    let now = app.now();
    let notice = match notice_of_rotation(app, now, rotation).await {
        Ok(Some(notice)) => notice,
        Ok(None) => return failed("its request is not in the database".to_owned()),
        Err(error) => return failed(error.to_string()),
    };
    let (source, hook) = (app.issuer().name().to_owned(), Arc::clone(hook));
    on_own_thread(hook.timeout.saturating_add(MARGIN), move || {
        let event =
            Event { notice: &notice, source: &source, now, purpose: For::Sending, to: None };
        call_hook(&hook, event)
    })
    .await
}
