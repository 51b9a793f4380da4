//! Bodies that tell the place of their connection when they have ended, or are not wanted any more.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};

use super::places::Connection;

/// What the client sends.
pub(super) struct Sent {
    body: Incoming,
    /// Told once.
    place: Option<Arc<Connection>>,
}

impl Sent {
    pub(super) fn new(body: Incoming, place: Arc<Connection>) -> Sent {
        Sent { body, place: Some(place) }
    }

    fn ended(&mut self) {
        if let Some(place) = self.place.take() {
            place.body();
        }
    }
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if self.body.is_end_stream() || matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            self.ended();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.ended();
    }
}

/// What is answered.
pub(super) struct Answer {
    body: Body,
    place: Arc<Connection>,
}

impl Answer {
    pub(super) fn new(body: Body, place: Arc<Connection>) -> Answer {
        Answer { body, place }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.place.idle();
    }
}
