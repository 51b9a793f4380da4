//! Waits until the proxies that read the feed have confirmed an epoch.
//!
//! Confirmed is what the service knows: a proxy confirms an epoch by asking for what comes after.
//! A feed that no proxy reads confirms nothing. A proxy that is gone or cut off confirms nothing: it refuses
//! new requests by itself, and what already runs there may run until the revoked grants would have ended.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::receipt::{Awaited, Receipt};
use super::until_answered::Deadline;
use crate::answer::{Proxies, Whole};
use crate::client::{Client, Failure};
use crate::exit::Exit;
use crate::terminal::Terminal;

/// How often the service is asked: people see a proxy's confirmation as it comes.
const ASK: Duration = Duration::from_millis(200);

/// How often the counts are told while they stay the same.
const TELL: Duration = Duration::from_secs(5);

/// How long one look may take at least.
const LOOK: Duration = Duration::from_secs(1);

/// Waits, and tells on stderr what it sees. Ends with 1 if some known proxy has not confirmed when the time is
/// over, or none is known; with 9 if all that have not are cut off.
pub(super) fn wait(
    client: &Client,
    awaited: &Awaited,
    deadline: Deadline,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    let mut told = (String::new(), Instant::now());
    let mut seen = BTreeSet::new();
    loop {
        // Before the question, so that the last one is asked when the time is over.
        let over = deadline.is_over();
        match client.get_within::<Whole<Proxies>>("/v1/proxies", deadline.left().max(LOOK)) {
            Ok(answer) => {
                let receipt = Receipt::new(&answer.body, awaited);
                for line in receipt.events() {
                    if seen.insert(line.clone()) {
                        terminal.note(&line);
                    }
                }
                if receipt.is_done() || over {
                    receipt.tell_missing(terminal);
                    return Ok(receipt.exit());
                }
                let line = receipt.line();
                if told.0.is_empty() || told.1.elapsed() >= TELL {
                    terminal.note(&line);
                    told = (line, Instant::now());
                }
            }
            // A service that restarts is no reason to stop looking.
            Err(failure) if failure.may_pass() && !over => {
                terminal.note(&format!("{failure}; asking again"));
            }
            Err(failure) => {
                terminal.note(&format!("{failure}; it is not known who has confirmed"));
                return Ok(failure.exit());
            }
        }
        std::thread::sleep(ASK);
    }
}
