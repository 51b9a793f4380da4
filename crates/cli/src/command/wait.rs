//! Waits until a request is decided, and tells of what approvers ask meanwhile.

use std::time::Duration;

use tokio::time::Instant;

use super::discussion::Told;
use super::retry::Notes;
use crate::answer::{Asked as _, Request, State, Whole};
use crate::client::{Client, Failure};
use crate::terminal::Terminal;

/// How long one question waits for news: below what proxies in between may tolerate.
const POLL: Duration = Duration::from_secs(25);

/// How much longer than that an answer may take.
const POLL_SLACK: Duration = Duration::from_secs(10);

/// How long to rest before a service that did not answer, or that did not wait, is asked again.
const REST: Duration = Duration::from_secs(1);

/// How often a service that did not answer is asked again.
const RETRIES: u32 = 60;

/// How to wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// How long at most; without it, until the request lapses.
    pub(super) timeout: Option<Duration>,
    /// Look before the first wait: what was asked before it ends none.
    pub(super) look_first: bool,
}

/// The request once it is no longer pending.
pub(super) fn wait(
    client: &Client,
    id: &str,
    patience: Patience,
    terminal: Terminal,
) -> Result<Whole<Request>, Failure> {
    let Patience { timeout, look_first: mut looks } = patience;
    let start = Instant::now();
    let mut failures = 0_u32;
    let (mut notes, mut told) = (Notes::default(), Told::default());
    loop {
        let left = timeout.map_or(POLL, |timeout| timeout.saturating_sub(start.elapsed()));
        let seconds = if looks { 0 } else { left.min(POLL).as_secs() };
        let is_last = seconds == 0 && !looks;
        looks = false;
        let asked = Instant::now();
        match look(client, id, seconds) {
            Ok(request) if request.body.state != State::Pending => return Ok(request),
            Ok(request) => {
                failures = 0;
                let is_news = told.tell(&request.body, terminal);
                if is_last {
                    return Err(Failure::Undecided { id: id.to_owned() });
                }
                // A remark ends one wait. What comes back at once without one, as from a service that is stopping, would
                // be asked for without end.
                if seconds > 0 && !is_news && asked.elapsed() < REST {
                    std::thread::sleep(REST);
                }
            }
            // A service that restarts, or a network that is gone for a moment, ends no wait: it was reached before.
            Err(failure) if failure.may_pass_if_reached() && failures < RETRIES && !is_last => {
                failures = failures.saturating_add(1);
                notes.tell(&failure, terminal);
                std::thread::sleep(REST);
            }
            Err(failure) => {
                terminal.note(&format!(
                    "{id} was submitted, and may still be pending: `breakglass status {id}`, \
                     `breakglass token {id}`, `breakglass cancel {id}`"
                ));
                return Err(failure);
            }
        }
    }
}

/// The request as it is, at once or when there is news of it within so many seconds.
fn look(client: &Client, id: &str, seconds: u64) -> Result<Whole<Request>, Failure> {
    let query = if seconds == 0 { String::new() } else { format!("?wait={seconds}s") };
    let patience = POLL_SLACK.saturating_add(Duration::from_secs(seconds));
    let request: Whole<Request> =
        client.get_within(&format!("/v1/requests/{id}{query}"), patience)?;
    request.body.is(id)?;
    Ok(request)
}
