//! A revocation is sent until the service answers it, or the time is over: a service that was restarting, or whose
//! disk was full, may answer the next attempt. Sending it again is harmless: the answer to a second revocation of a
//! grant names the first, and a repeated kill switch revokes what the first attempt did not reach.

use std::time::Duration;

use tokio::time::Instant;

use crate::client::Failure;
use crate::terminal::Terminal;

/// The first pause between two attempts; it doubles up to [`LAST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LAST_PAUSE: Duration = Duration::from_secs(2);

/// How long one attempt may take: longer than the service takes for one answer, and so short that there is time
/// for another one.
const ATTEMPT: Duration = Duration::from_secs(12);

/// Whether to ask again: also where the service has had too much of this caller, and where the name of its host is
/// not resolved now, as it is where a network is failing. A wrong name is on stderr at the first attempt.
fn may_pass(failure: &Failure) -> bool {
    failure.may_pass()
        || matches!(failure, Failure::Refused { status: 429, .. })
        || matches!(failure, Failure::Unreachable { cause, .. } if cause.is_unresolved())
}

/// When the time is over for an answer, and for the proxies that are waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    start: Instant,
    limit: Duration,
}

impl Deadline {
    /// So long from now.
    pub(super) fn after(limit: Duration) -> Deadline {
        Deadline { start: Instant::now(), limit }
    }

    pub(super) fn left(self) -> Duration {
        self.limit.saturating_sub(self.start.elapsed())
    }

    pub(super) fn is_over(self) -> bool {
        self.left().is_zero()
    }
}

/// The attempts of one command.
pub(super) struct Attempts {
    pub(super) deadline: Deadline,
    terminal: Terminal,
    /// Whether one has failed that may have done something.
    pub(super) is_uncertain: bool,
}

impl Attempts {
    pub(super) fn new(deadline: Deadline, terminal: Terminal) -> Attempts {
        Attempts { deadline, terminal, is_uncertain: false }
    }

    /// Calls, each time with how long it may take, until there is an answer or a refusal that is final.
    pub(super) fn call<T>(
        &mut self,
        mut call: impl FnMut(Duration) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut pause = FIRST_PAUSE;
        loop {
            let failure = match call(self.deadline.left().clamp(FIRST_PAUSE, ATTEMPT)) {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            if !may_pass(&failure) {
                return Err(failure);
            }
            self.is_uncertain = true;
            if self.deadline.left() <= pause {
                return Err(Failure::Failed(format!(
                    "not answered within {} s, so it is not known whether anything was revoked: run it again, \
                     which does no harm. The last attempt: {failure}",
                    self.deadline.limit.as_secs()
                )));
            }
            self.terminal.note(&format!("{failure}; trying again"));
            std::thread::sleep(pause);
            pause = pause.saturating_mul(2).min(LAST_PAUSE);
        }
    }
}
