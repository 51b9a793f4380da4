//! What failed on requests that passed all the same, because they carry nothing of ours.

use std::cell::Cell;

use breakglass_core::CounterName;
use breakglass_core::untouched::Untouched;
use log::error;

use crate::apply::Flow;

/// What failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The host has no clock.
    Clock,
    /// The worker was in use.
    Worker,
    /// The host does not give the request back after a look at the root context.
    Context,
    /// The request's trailers cannot be read.
    Trailers,
}

impl Failure {
    const ALL: [Failure; 4] =
        [Failure::Clock, Failure::Worker, Failure::Context, Failure::Trailers];

    const fn word(self) -> &'static str {
        match self {
            Failure::Clock => "clock",
            Failure::Worker => "worker",
            Failure::Context => "context",
            Failure::Trailers => "trailers",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Failure::Clock => "the host gives no time",
            Failure::Worker => "the filter was called from within itself",
            Failure::Context => "the host lets no context be chosen",
            Failure::Trailers => "the trailers of a request cannot be read",
        }
    }
}

/// How often each happened.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    clock: Count,
    worker: Count,
    context: Count,
    trailers: Count,
}

#[derive(Debug, Default)]
struct Count {
    /// Since it was handed over last.
    new: Cell<u64>,
    was_logged: Cell<bool>,
}

impl Failures {
    fn of(&self, failure: Failure) -> &Count {
        match failure {
            Failure::Clock => &self.clock,
            Failure::Worker => &self.worker,
            Failure::Context => &self.context,
            Failure::Trailers => &self.trailers,
        }
    }

    /// Lets a request go on although something failed: with the proof that it carries nothing of ours, and only so.
    /// Counted, and logged once for each kind.
    pub(crate) fn pass(&self, _proof: &Untouched, failure: Failure) -> Flow {
        let count = self.of(failure);
        count.new.set(count.new.get().saturating_add(1));
        if !count.was_logged.replace(true) {
            error!(
                "breakglass: {}; requests that carry nothing of the filter's pass on, all others are refused \
                 (internal_error). Check the plugin's capability_restriction_config, and report it otherwise",
                failure.text()
            );
        }
        Flow::Continue
    }

    /// Hands over what was counted.
    pub(crate) fn take(&self) -> Vec<(CounterName, u64)> {
        let counts = Failure::ALL.map(|failure| (failure.word(), self.of(failure).new.take()));
        let counts = counts.into_iter().filter(|(_, count)| *count > 0);
        let name = |word| format!("breakglass.untouched_failure.result.{word}");
        counts.map(|(word, count)| (name(word), count)).collect()
    }
}
