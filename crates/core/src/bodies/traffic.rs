//! The bodies of one request, while they pass.

use std::cell::{Cell, RefCell};

use crate::headers::Headers;

use super::{BodyAudit, BodyRecord, Watch};

/// The bodies of one request: told of by the filter as they pass, read by the worker when it matters.
#[derive(Debug, Default)]
pub struct Traffic {
    received: Body,
    sent: Body,
}

/// A body in one direction.
#[derive(Debug, Default)]
struct Body {
    bytes: Cell<u64>,
    /// `None` if nothing but its length is recorded.
    watch: RefCell<Option<Box<Watch>>>,
    /// Whether there is no more to come.
    all: Cell<bool>,
}

impl Body {
    fn add(&self, bytes: usize) {
        self.bytes.set(self.bytes.get().saturating_add(bytes as u64));
    }

    fn with_watch(&self, action: impl FnOnce(&mut Watch)) {
        if let Ok(mut watch) = self.watch.try_borrow_mut()
            && let Some(watch) = watch.as_mut()
        {
            action(watch);
        }
    }

    fn record(&self) -> Option<BodyRecord> {
        let watch = self.watch.try_borrow().ok()?;
        Some(watch.as_ref()?.record(self.bytes.get(), self.all.get()))
    }

    fn is_watched(&self) -> bool {
        self.watch.try_borrow().is_ok_and(|watch| watch.is_some())
    }
}

impl Traffic {
    /// So many more bytes came from the client.
    pub fn add_received(&self, bytes: usize) {
        self.received.add(bytes);
    }

    /// So many more bytes went to the client.
    pub fn add_sent(&self, bytes: usize) {
        self.sent.add(bytes);
    }

    /// Whether the bytes themselves are wanted of what comes from the client.
    #[must_use]
    pub fn wants_received(&self) -> bool {
        self.received.is_watched()
    }

    /// Whether the bytes themselves, and the headers, are wanted of what goes to the client.
    #[must_use]
    pub fn wants_sent(&self) -> bool {
        self.sent.is_watched()
    }

    /// These bytes came from the client.
    pub fn received_chunk(&self, bytes: &[u8]) {
        self.received.with_watch(|watch| watch.chunk(bytes));
    }

    /// These bytes went to the client.
    pub fn sent_chunk(&self, bytes: &[u8]) {
        self.sent.with_watch(|watch| watch.chunk(bytes));
    }

    /// Nothing more comes from the client.
    pub fn received_all(&self) {
        self.received.all.set(true);
    }

    /// Nothing more goes to the client.
    pub fn sent_all(&self) {
        self.sent.all.set(true);
    }

    /// The response has these headers.
    pub fn response_headers(&self, headers: &Headers) {
        self.sent.with_watch(|watch| {
            if let Some(capture) = &mut watch.capture {
                capture.headers(headers);
            }
        });
    }

    /// Body bytes from the client.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.bytes.get()
    }

    /// Body bytes to the client.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.bytes.get()
    }

    /// Body bytes in both directions.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.received().saturating_add(self.sent())
    }

    /// The request was permitted: from now on this is recorded of its bodies.
    pub(crate) fn watch(&self, request: &BodyAudit, response: &BodyAudit, headers: &Headers) {
        for (body, wanted) in [(&self.received, request), (&self.sent, response)] {
            if let Ok(mut watch) = body.watch.try_borrow_mut() {
                *watch = Watch::new(wanted).map(Box::new);
            }
        }
        self.received.with_watch(|watch| {
            if let Some(capture) = &mut watch.capture {
                capture.headers(headers);
            }
        });
    }

    /// What is recorded of the bodies from the client and to it.
    pub(crate) fn records(&self) -> (Option<BodyRecord>, Option<BodyRecord>) {
        (self.received.record(), self.sent.record())
    }
}
