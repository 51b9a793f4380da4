//! The connections of the interface: how long each may take for what, and how many there may be.
//!
//! 1. A connection on which a request's head does not arrive whole in time is closed, and so is one whose
//!    request's body does not, whose answer is not read, or that was idle for long. A connection of HTTP/2 has several
//!    requests (`exchanges`): it is idle when it has none, and a body that is late ends its own request alone.
//! 2. When there are as many as there may be, a new one takes the place of the one that needs it least
//!    (`registry::Rank`): the oldest without a whole head first, and the idle one of a person last. Where every
//!    place is at work, the new one is answered 503 and closed.
//!    A TLS handshake that is not done is one without a head, and has a shorter time of its own: it is done in
//!    the connection's own task, so that no other connection waits for it.
//!    A request beside another one on its connection takes a place in the same way.
//! 3. Proxies, whose polls hang, have only a part of the places at work, and each credential a part of that. So
//!    there are always some for people.
//! 4. One peer address has only a part of all places. A proxy in front of the service makes all callers one
//!    address, so it is the larger part.

mod body;
mod exchange_state;
mod exchanges;
mod frames;
mod handshake;
mod http;
mod io;
mod limits;
mod pace;
mod places;
mod registry;
mod socket;
mod until_over;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use futures_util::future::join_all;
use tokio::sync::watch;

use http::{Peer, Versions};
use io::Watched;
pub use limits::{Limits, Times};
pub use places::Caller;
pub(crate) use places::network;
use places::{Connection, Places};
pub use registry::{Full, Known};
pub use socket::Listener;
use socket::Stream;
use until_over::{stopped, until_over};

use crate::metrics::ConnectionMetrics;
use crate::tls::Endpoint;

/// How long it rests when the system gives no connection.
const REST: Duration = Duration::from_millis(50);

/// The answer where there is no place.
const FULL: &str = concat!(
    r#"{"type":"urn:breakglass:reason:too_many_connections","title":"Too many connections","#,
    r#""status":503,"detail":"there is no place for another connection; try again","#,
    r#""reason":"too_many_connections"}"#,
);

/// Serves the connections of one listener until `stop` is true, and then those that are there until they end.
pub async fn serve(
    listener: impl Into<Listener>,
    router: Router,
    limits: Limits,
    metrics: ConnectionMetrics,
    stop: watch::Receiver<bool>,
) {
    serve_all(vec![(listener.into(), router)], limits, metrics, stop).await;
}

/// Serves the connections of these listeners, which share the places, each with its router, until `stop` is true, and
/// then those that are there until they end.
pub async fn serve_all(
    listeners: Vec<(Listener, Router)>,
    limits: Limits,
    metrics: ConnectionMetrics,
    stop: watch::Receiver<bool>,
) {
    let places = Arc::new(Places::new(limits, metrics));
    let accepting = listeners
        .into_iter()
        .map(|(listener, router)| accept(listener, router, Arc::clone(&places), stop.clone()));
    join_all(accepting).await;
}

async fn accept(
    listener: Listener,
    router: Router,
    places: Arc<Places>,
    mut stop: watch::Receiver<bool>,
) {
    let (open, running) = watch::channel(());
    let Listener { socket, tls } = listener;
    loop {
        let accepted = tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => match places.admit(peer.ip()) {
                Ok(place) => {
                    let (router, stop, running) = (router.clone(), stop.clone(), running.clone());
                    let tls = tls.clone();
                    tokio::spawn(async move {
                        // It is told that this connection has ended.
                        let _running = running;
                        run(stream, tls, peer, router, place, stop).await;
                    });
                }
                Err(full) => {
                    places.refused(full);
                    // Within TLS an answer would take a handshake.
                    if tls.is_none() {
                        refuse(&stream);
                    }
                }
            },
            // The client went away.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
                ) => {}
            Err(cause) => {
                places.out_of_files(&cause);
                tokio::time::sleep(REST).await;
            }
        }
    }
    drop((socket, running));
    open.closed().await;
}

/// Answers without waiting for anything.
fn refuse(stream: &Stream) {
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\n\
         cache-control: no-store\r\nretry-after: 5\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{FULL}",
        FULL.len()
    );
    stream.try_write(answer.as_bytes());
}

/// Runs one connection to its end.
async fn run(
    stream: Stream,
    tls: Option<Arc<Endpoint>>,
    peer: SocketAddr,
    router: Router,
    place: Connection,
    mut stop: watch::Receiver<bool>,
) {
    stream.set_nodelay();
    let place = Arc::new(place);
    let io = Watched::new(stream, Arc::clone(&place));
    let Some(endpoint) = tls else {
        let peer = Peer { address: peer, certificate: None };
        return http::converse(io, Versions::Either, peer, router, place, stop).await;
    };
    place.handshake(true);
    let shaken = {
        let mut shaking = pin!(handshake::accept(&endpoint, io, peer));
        until_over(&place, &mut stop, shaking.as_mut(), |_| {}).await
    };
    place.handshake(false);
    if let Some(Some((io, certificate))) = shaken {
        let versions = Versions::agreed(io.get_ref().1.alpn_protocol());
        let peer = Peer { address: peer, certificate };
        http::converse(io, versions, peer, router, place, stop).await;
    }
}
