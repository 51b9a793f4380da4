//! The connections of the interface: how long each may take for what, and how many there may be.
//!
//! 1. A connection on which a request's head does not arrive whole in time is closed, and so is one whose
//!    request's body does not, whose answer is not read, or that was idle for long.
//! 2. When there are as many as there may be, a new one takes the place of the one that needs it least
//!    (`registry::Rank`): the oldest without a whole head first, and the idle one of a person last. Where every
//!    place is at work, the new one is answered 503 and closed.
//! 3. Proxies, whose polls hang, have only a part of the places at work, and each credential a part of that. So
//!    there are always some for people.
//! 4. One peer address has only a part of all places. A proxy in front of the service makes all callers one
//!    address, so it is the larger part.

mod body;
mod io;
mod limits;
mod places;
mod registry;

use std::future::poll_fn;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;

use body::{Answer, Sent};
use io::Watched;
pub use limits::{Limits, Times};
pub use places::Caller;
use places::{Connection, Places};
pub use registry::{Full, Known};

use crate::metrics::ConnectionMetrics;

/// The most that is buffered of a request's head, in bytes.
const BUFFER: usize = 32 * 1024;

/// How long it rests when the system gives no connection.
const REST: Duration = Duration::from_millis(50);

/// The answer where there is no place.
const FULL: &str = concat!(
    r#"{"type":"urn:breakglass:reason:too_many_connections","title":"Too many connections","#,
    r#""status":503,"detail":"there is no place for another connection; try again","#,
    r#""reason":"too_many_connections"}"#,
);

/// Serves connections until `stop` is true, and then those that are there until they end.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    metrics: ConnectionMetrics,
    mut stop: watch::Receiver<bool>,
) {
    let places = Arc::new(Places::new(limits, metrics));
    let (open, running) = watch::channel(());
    loop {
        let accepted = tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => match places.admit(peer.ip()) {
                Ok(place) => {
                    let (router, stop, running) = (router.clone(), stop.clone(), running.clone());
                    tokio::spawn(async move {
                        // It is told that this connection has ended.
                        let _running = running;
                        run(stream, peer, router, place, stop).await;
                    });
                }
                Err(full) => refuse(&stream, &places, full),
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
    drop((listener, running));
    open.closed().await;
}

/// Answers without waiting for anything.
fn refuse(stream: &TcpStream, places: &Places, full: Full) {
    places.refused(full);
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\n\
         cache-control: no-store\r\nretry-after: 5\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{FULL}",
        FULL.len()
    );
    let _ = stream.try_write(answer.as_bytes());
}

/// Runs one connection to its end.
async fn run(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    place: Connection,
    mut stop: watch::Receiver<bool>,
) {
    // An answer is written whole; it need not wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let place = Arc::new(place);
    let service = TowerToHyperService::new(router);
    let called = Arc::clone(&place);
    let service = service_fn(move |request: Request<Incoming>| {
        let place = Arc::clone(&called);
        place.head(request.body().is_end_stream());
        let mut request = request.map(|body| Body::new(Sent::new(body, Arc::clone(&place))));
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(Caller(Arc::clone(&place)));
        let answer = service.call(request);
        async move {
            let response: Response<Body> = match answer.await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            place.answer();
            Ok::<_, std::convert::Infallible>(response.map(|body| Answer::new(body, place)))
        }
    });
    let io = TokioIo::new(Watched::new(stream, Arc::clone(&place)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // It would be for idle connections too: the watch below tells them apart.
        .header_read_timeout(None)
        .max_buf_size(BUFFER)
        .serve_connection(io, service);
    let mut connection = pin!(connection);
    let mut alarm = pin!(tokio::time::sleep(Duration::ZERO));
    let mut stopping = false;
    loop {
        let step = poll_fn(|context| {
            if connection.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
            // What has just happened may have changed what it is waited for.
            loop {
                let Some(end) = place.deadline() else { return Poll::Pending };
                if end <= Instant::now() {
                    place.timed_out();
                    return Poll::Ready(());
                }
                if alarm.deadline() != end {
                    alarm.as_mut().reset(end);
                }
                if alarm.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
            }
        });
        tokio::select! {
            () = step => return,
            () = place.evicted() => return,
            // Where nothing can say so any more, it is to stop as well.
            () = stopped(&mut stop), if !stopping => {
                stopping = true;
                place.stop();
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
