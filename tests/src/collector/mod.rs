//! A collector of logs: the gRPC services that Envoy's access loggers call, on a port of its own. What
//! comes is appended to a file, a line of JSON for each message, as real collectors write it.

mod messages;

use std::convert::Infallible;
use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::collector::messages::{ExportLogsServiceRequest, StreamAccessLogsMessage};
use crate::runtime::runtime;
use crate::wait::until;

/// Envoy's access log service: one call that goes on for ever.
const ACCESS_LOG_SERVICE: &str = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs";

/// OpenTelemetry's: a call for each batch.
const LOGS_SERVICE: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

/// How much may be under way to a collector that does not read. Small, so that it is soon full.
const WINDOW_BYTES: u32 = 16 * 1024;

/// A running collector.
pub struct Collector {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: Option<AbortHandle>,
}

/// What its connections share.
struct Shared {
    file: Mutex<File>,
    connections: Mutex<Vec<AbortHandle>>,
    reads: watch::Sender<bool>,
}

impl Collector {
    /// Starts one on a free port, which appends to this file.
    ///
    /// # Panics
    /// When there is no free port, or the file cannot be written.
    #[must_use]
    pub fn start(file: &Path) -> Collector {
        let file = File::options().create(true).append(true).open(file).unwrap();
        let shared = Arc::new(Shared {
            file: Mutex::new(file),
            connections: Mutex::default(),
            reads: watch::Sender::new(true),
        });
        let free = "127.0.0.1:0".parse().unwrap();
        let mut collector = Collector { address: free, shared, server: None };
        collector.start_again();
        collector
    }

    /// Where it listens, or listened.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening and drops its connections, and what is under way in them with them.
    ///
    /// # Panics
    /// When a server task panicked.
    pub fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
        }
        for connection in self.shared.connections.lock().unwrap().drain(..) {
            connection.abort();
        }
        until("the collector to stop", || {
            std::net::TcpStream::connect(self.address).is_err().then_some(())
        });
    }

    /// Listens again, where it did before.
    ///
    /// # Panics
    /// When the port was taken meanwhile.
    pub fn start_again(&mut self) {
        let listener = runtime().block_on(TcpListener::bind(self.address)).unwrap();
        self.address = listener.local_addr().unwrap();
        let server = runtime().spawn(serve(listener, Arc::clone(&self.shared)));
        self.server = Some(server.abort_handle());
    }

    /// Keeps its connections open and reads nothing from now on.
    pub fn hang(&self) {
        self.shared.reads.send_replace(false);
    }

    /// Reads on.
    pub fn read_on(&self) {
        self.shared.reads.send_replace(true);
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
        }
    }
}

impl Shared {
    fn write(&self, message: &impl Serialize) {
        let line = serde_json::to_string(message).unwrap() + "\n";
        self.file.lock().unwrap().write_all(line.as_bytes()).unwrap();
    }

    fn take(&self, service: &str, message: Bytes) {
        match service {
            ACCESS_LOG_SERVICE => {
                let message = StreamAccessLogsMessage::decode(message).unwrap();
                let entries = message.http_logs.map(|logs| logs.log_entry);
                entries.unwrap_or_default().iter().for_each(|entry| self.write(entry));
            }
            LOGS_SERVICE => self.write(&ExportLogsServiceRequest::decode(message).unwrap()),
            other => panic!("nobody calls {other}"),
        }
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let connection = tokio::spawn(converse(stream, Arc::clone(&shared)));
        shared.connections.lock().unwrap().push(connection.abort_handle());
    }
}

async fn converse(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(|request| answer(request, Arc::clone(&shared)));
    let mut server = http2::Builder::new(TokioExecutor::new());
    server.initial_stream_window_size(WINDOW_BYTES);
    // A connection that breaks is the other side's business.
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

/// Takes the messages of a call as they come, and answers when there are no more.
async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<impl Body<Data = Bytes, Error = Infallible>>, hyper::Error> {
    let (head, mut body) = request.into_parts();
    let mut reads = shared.reads.subscribe();
    let mut buffer = BytesMut::new();
    loop {
        // Its sender is in `shared`.
        let _ = reads.wait_for(|reads| *reads).await;
        let Some(frame) = body.frame().await else { break };
        if let Ok(data) = frame?.into_data() {
            buffer.extend_from_slice(&data);
        }
        while let Some(message) = message(&mut buffer) {
            shared.take(head.uri.path(), message);
        }
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", 0.into());
    // One empty message: not compressed, of no length.
    let message = Full::from(Bytes::from_static(&[0; 5]));
    let answer = message.with_trailers(async { Some(Ok(trailers)) });
    Ok(Response::builder().header("content-type", "application/grpc").body(answer).unwrap())
}

/// Takes a whole message out of what came: its length is in front of it.
fn message(buffer: &mut BytesMut) -> Option<Bytes> {
    let length = u32::from_be_bytes(buffer.get(1..5)?.try_into().unwrap());
    let length = usize::try_from(length).unwrap();
    if buffer.len() < 5 + length {
        return None;
    }
    buffer.advance(5);
    Some(buffer.split_to(length).freeze())
}
