//! An upstream of both versions of HTTP that keeps each request as it came, and answers as planned.

use std::collections::BTreeMap;
use std::io::{BufReader, Result, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use tokio::runtime::Handle;

use super::case::{Case, Framing};
use super::message::{Message, Otherwise};
use super::{http1, http2};

/// A running one; it goes with the process.
pub(super) struct Recorder {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    cases: BTreeMap<u32, Case>,
    seen: Mutex<BTreeMap<u32, Vec<Message>>>,
}

impl Recorder {
    /// Starts one that knows these cases.
    pub(super) fn start<'c>(runtime: &Handle, cases: impl Iterator<Item = &'c Case>) -> Recorder {
        let cases = cases.map(|case| (case.id, case.clone())).collect();
        let shared = Arc::new(Shared { cases, seen: Mutex::default() });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let recorder =
            Recorder { address: listener.local_addr().unwrap(), shared: Arc::clone(&shared) };
        let runtime = runtime.clone();
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (shared, runtime) = (Arc::clone(&shared), runtime.clone());
                thread::spawn(move || {
                    let mut beginning = [0; 3];
                    let peeked = connection.peek(&mut beginning);
                    if peeked.is_ok() && &beginning == b"PRI" {
                        connection.set_nonblocking(true).unwrap();
                        runtime.spawn(serve_http2(connection, shared));
                    } else {
                        // A connection that breaks is the other side's business.
                        let _ = serve_http1(&connection, &shared);
                    }
                });
            }
        });
        recorder
    }

    /// What came of each request.
    pub(super) fn take(&self) -> BTreeMap<u32, Vec<Message>> {
        std::mem::take(&mut self.shared.seen.lock().unwrap())
    }
}

impl Shared {
    /// Keeps a request; the case that it is of.
    fn keep(&self, request: Message) -> Option<&Case> {
        let id = request.field("x-case").and_then(|id| str::from_utf8(id).ok()?.parse().ok())?;
        self.seen.lock().unwrap().entry(id).or_default().push(request);
        self.cases.get(&id)
    }
}

fn serve_http1(connection: &TcpStream, shared: &Shared) -> Result<()> {
    connection.set_nodelay(true)?;
    let (mut from, mut to) = (BufReader::new(connection), connection);
    loop {
        let mut request = Message::read_head(&mut from)?;
        request.read_content(&mut from, Otherwise::Nothing)?;
        let Some(case) = shared.keep(request) else { return Ok(()) };
        to.write_all(&http1::answer(case))?;
        if case.answer.content.framing == Framing::Connection {
            return Ok(());
        }
    }
}

async fn serve_http2(connection: TcpStream, shared: Arc<Shared>) {
    let connection = tokio::net::TcpStream::from_std(connection).unwrap();
    let Ok(mut connection) = h2::server::handshake(connection).await else { return };
    while let Some(Ok((request, respond))) = connection.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let (head, body) = request.into_parts();
            let start = format!("{} {}", head.method, head.uri);
            let request = http2::read(start, &head.headers, body).await;
            // One that broke off is kept under no case: it is missing.
            let Ok(request) = request else { return };
            if let Some(case) = shared.keep(request) {
                let _ = http2::answer(case, respond);
            }
        });
    }
}
