//! Bodies that tell their exchange when they have ended, or are not wanted any more.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Buf, Frame, Incoming, SizeHint};

use super::exchanges::{Exchange, body_came};
use super::places::Connection;

/// What the client sends.
pub(super) struct Sent {
    body: Incoming,
    /// Told once. Not the exchange itself, which an endpoint that keeps this must not keep.
    exchange: Option<(Arc<Connection>, u64)>,
}

impl Sent {
    pub(super) fn new(body: Incoming, exchange: &Exchange) -> Sent {
        Sent { body, exchange: Some(exchange.key()) }
    }

    fn ended(&mut self) {
        if let Some((connection, number)) = self.exchange.take() {
            body_came(&connection, number);
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

/// What is answered. The exchange ends with it, and in HTTP/2 not before its last part was sent.
pub(super) struct Answer {
    body: Body,
    /// None for the refusal of a request that has no place.
    exchange: Option<Arc<Exchange>>,
}

impl Answer {
    pub(super) fn new(body: Body, exchange: Option<Exchange>) -> Answer {
        Answer { body, exchange: exchange.map(Arc::new) }
    }
}

impl HttpBody for Answer {
    type Data = Part;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Part>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        let part = |bytes| Part::new(bytes, self.exchange.as_ref());
        frame.map(|frame| frame.map(|frame| frame.map(|frame| frame.map_data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A part of an answer. In HTTP/2 it waits for a window that the client opens, long after the endpoint has given all
/// of the answer: it is sent when the connection has dropped it.
pub(super) struct Part {
    bytes: Bytes,
    exchange: Option<Arc<Exchange>>,
}

impl Part {
    fn new(bytes: Bytes, exchange: Option<&Arc<Exchange>>) -> Part {
        let exchange = exchange.filter(|exchange| exchange.http2() && !bytes.is_empty()).cloned();
        if let Some(exchange) = &exchange {
            exchange.handed_over();
        }
        Part { bytes, exchange }
    }
}

impl Buf for Part {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        if let Some(exchange) = &self.exchange
            && count > 0
        {
            exchange.sends();
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if let Some(exchange) = &self.exchange {
            exchange.sent();
        }
    }
}
