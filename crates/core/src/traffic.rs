//! How many body bytes a request has moved, while it runs.

use std::cell::Cell;

/// The body bytes of one request, counted by the filter as they pass and read by the worker when it
/// matters.
#[derive(Debug, Default)]
pub struct Traffic {
    received: Cell<u64>,
    sent: Cell<u64>,
}

impl Traffic {
    /// So many more bytes came from the client.
    pub fn add_received(&self, bytes: usize) {
        self.received.set(self.received.get().saturating_add(bytes as u64));
    }

    /// So many more bytes went to the client.
    pub fn add_sent(&self, bytes: usize) {
        self.sent.set(self.sent.get().saturating_add(bytes as u64));
    }

    /// Body bytes from the client.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.get()
    }

    /// Body bytes to the client.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.get()
    }

    /// Body bytes in both directions.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.received().saturating_add(self.sent())
    }
}
