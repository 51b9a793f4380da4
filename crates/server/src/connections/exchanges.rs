//! One request and its answer: an exchange. A connection of HTTP/1 has one at a time, one of HTTP/2 several.

use std::sync::Arc;

use tokio::time::Instant;

use super::exchange_state::Phase;
use super::places::Connection;
use super::registry::Full;
use crate::metrics::Closed;

/// One exchange, which is over when this is dropped: when the answer was sent, or will not be.
#[derive(Debug)]
pub(super) struct Exchange {
    connection: Arc<Connection>,
    number: u64,
    http2: bool,
}

impl Exchange {
    /// The head of a request has come whole.
    ///
    /// # Errors
    /// [`Full`] if it comes beside another one on its connection, and has no place.
    pub(super) fn begin(
        connection: &Arc<Connection>,
        without_body: bool,
        http2: bool,
    ) -> Result<Exchange, Full> {
        let number = connection.begin(without_body)?;
        Ok(Exchange { connection: Arc::clone(connection), number, http2 })
    }

    /// The connection, and the number of the exchange.
    pub(super) fn key(&self) -> (Arc<Connection>, u64) {
        (Arc::clone(&self.connection), self.number)
    }

    /// What is sent waits for a window of HTTP/2, in which case the connection tells when it was sent.
    pub(super) fn http2(&self) -> bool {
        self.http2
    }

    /// The answer begins.
    pub(super) fn answer(&self) {
        self.connection.change(self.number, |one| one.enter(Phase::Answer));
    }

    /// A part of the answer was handed over to be sent.
    pub(super) fn handed_over(&self) {
        self.connection.change(self.number, |one| {
            one.unsent = one.unsent.saturating_add(1);
            one.rests.get_or_insert_with(Instant::now);
        });
        // The connection's task may be at rest, and has another limit now.
        self.connection.wake();
    }

    /// Something of it was sent.
    pub(super) fn sends(&self) {
        self.connection.change(self.number, |one| one.rests = Some(Instant::now()));
    }

    /// It was sent, or will not be.
    pub(super) fn sent(&self) {
        self.connection.change(self.number, |one| {
            one.unsent = one.unsent.saturating_sub(1);
            if one.unsent == 0 {
                one.rests = None;
            }
        });
    }

    /// Returns when the body has not come in time; never, where it has.
    pub(super) async fn body_is_late(&self) {
        if let Some(end) = self.connection.body_ends(self.number) {
            tokio::time::sleep_until(end).await;
            if self.connection.body_ends(self.number).is_some() {
                return self.connection.note(Closed::SlowBody);
            }
        }
        std::future::pending().await
    }
}

/// The body of this request has come whole, or is not wanted.
pub(super) fn body_came(connection: &Connection, number: u64) {
    connection.change(number, |one| {
        if one.phase == Phase::Body {
            one.enter(Phase::Work);
        }
    });
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.connection.end(self.number);
        if self.http2 {
            self.connection.wake();
        }
    }
}
