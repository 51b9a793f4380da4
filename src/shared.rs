//! What one worker thread under one configuration shares with its requests.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use breakglass_core::calls::StreamId;
use breakglass_core::config::Config;
use breakglass_core::instant::Instant;
use breakglass_core::step::Step;
use breakglass_core::worker::{TICK, Worker};
use log::{debug, warn};

use crate::failures::Failures;
use crate::host::{self, HostError};

/// What the root context shares with the requests of its thread.
pub(crate) struct Shared {
    root: u32,
    plugin: String,
    pub(crate) worker: RefCell<Worker>,
    /// The worker's, for when that is in use.
    pub(crate) config: Rc<Config>,
    pub(crate) failures: Failures,
    /// How often the root context ticks.
    period: Cell<Duration>,
    /// The configuration that has come in place of this one's, once the worker knows of it.
    successor: RefCell<Option<Rc<Config>>>,
}

impl Shared {
    /// Of a root context whose configuration was accepted: from now on it is the latest one of its plugin.
    pub(crate) fn new(root: u32, plugin: String, worker: Worker) -> Shared {
        LATEST.with_borrow_mut(|latest| latest.insert(plugin.clone(), Rc::clone(worker.config())));
        Shared {
            root,
            plugin,
            config: Rc::clone(worker.config()),
            worker: RefCell::new(worker),
            failures: Failures::default(),
            period: Cell::new(TICK),
            successor: RefCell::new(None),
        }
    }

    /// Lets the root context, which has to be the current one, tick so often, unless it does.
    ///
    /// # Errors
    /// Where Envoy does not take the period: it ticks as before.
    pub(crate) fn tick_every(&self, period: Duration) -> Result<(), HostError> {
        if period != self.period.get() {
            host::tick_every(period)?;
            self.period.set(period);
        }
        Ok(())
    }

    /// How soon the worker wants a tick; [`TICK`] while it is in use.
    pub(crate) fn wanted(&self, now: Instant) -> Duration {
        self.worker.try_borrow().map_or(TICK, |worker| worker.period(now))
    }

    /// Brings the next tick forward, if the worker wants it sooner, from within the request `stream`.
    ///
    /// # Errors
    /// Where the request is no longer the current context: nothing may be done to it then.
    pub(crate) fn hurry(&self, stream: StreamId, now: Instant) -> Result<(), HostError> {
        let period = self.wanted(now);
        if period >= self.period.get() {
            return Ok(());
        }
        match host::enter(self.root).and_then(|()| host::tick_every(period)) {
            Ok(()) => self.period.set(period),
            Err(status) => {
                warn!("breakglass: what is to be done is done at the next tick only: {status:?}");
            }
        }
        host::enter(stream)
    }

    /// Says in the log by which steps requests were decided, where Envoy logs that.
    pub(crate) fn say_steps(worker: &mut Worker) {
        for (stream, trace) in worker.take_traces() {
            debug!("breakglass: request {stream}: {trace}");
        }
    }

    /// Tells the worker of the configuration that has come in place of its own, once. What that no longer
    /// covers ends.
    pub(crate) fn supersede(&self, worker: &mut Worker, now: Instant) -> Vec<(StreamId, Step)> {
        let latest = LATEST.with_borrow(|latest| latest.get(&self.plugin).cloned());
        let (Some(latest), Ok(mut successor)) = (latest, self.successor.try_borrow_mut()) else {
            return Vec::new();
        };
        if Rc::ptr_eq(successor.as_ref().unwrap_or(worker.config()), &latest) {
            return Vec::new();
        }
        *successor = Some(Rc::clone(&latest));
        worker.supersede(latest, now)
    }
}

thread_local! {
    /// The latest configuration of each plugin in this VM. A configuration update makes a new root
    /// context beside the old one, whose requests go on.
    static LATEST: RefCell<HashMap<String, Rc<Config>>> = RefCell::default();
}
