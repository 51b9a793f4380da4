//! HTTP/1.1 and HTTP/2 on one connection.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response, Version};
use axum::response::IntoResponse as _;
use hyper::body::{Body as _, Incoming};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use super::body::{Answer, Sent};
use super::exchanges::Exchange;
use super::frames::Frames;
use super::limits::Times;
use super::places::{Caller, Connection};
use super::until_over::until_over;
use crate::metrics::Closed;
use crate::problem::Problem;
use crate::tls::ClientCertificate;

/// The most that is buffered of a request's head, in bytes.
const HEAD: u32 = 32 * 1024;

/// The requests that one connection of HTTP/2 may have at a time. RFC 9113, section 6.5.2, advises no fewer than 100: a
/// proxy in front of many clients, or of the workers of an Envoy, opens another connection beyond.
const STREAMS: u32 = 100;

/// What a client may send of bodies before the endpoints have read it, in bytes: of one request, and of all requests of
/// a connection.
const WINDOW: u32 = 64 * 1024;

/// The requests that a client may take back before the service has looked at them, and those that break the protocol:
/// beyond, the connection is closed (CVE-2023-44487, RUSTSEC-2024-0003).
const RESETS: usize = 20;

/// Which versions of HTTP a connection may speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Versions {
    Http1,
    Http2,
    /// HTTP/2 where the client begins with its preface (RFC 9113, section 3.3).
    Either,
}

impl Versions {
    /// The one that the TLS handshake has agreed on. A client that names none speaks HTTP/1.1.
    pub(super) fn agreed(protocol: Option<&[u8]>) -> Versions {
        if protocol == Some(b"h2") { Versions::Http2 } else { Versions::Http1 }
    }
}

/// Who is at the other end.
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    pub(super) certificate: Option<Arc<ClientCertificate>>,
}

/// The body of a request has not come in time: the request ends, and in HTTP/1 its connection.
#[derive(Debug, thiserror::Error)]
#[error("the body of the request has not come in time")]
struct BodyLate;

/// Answers the requests of one connection.
pub(super) async fn converse(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    versions: Versions,
    peer: Peer,
    router: Router,
    connection: Arc<Connection>,
    mut stop: watch::Receiver<bool>,
) {
    let service = service(peer, router, Arc::clone(&connection));
    let io = TokioIo::new(Frames::new(io, Arc::clone(&connection)));
    let builder = builder(versions, connection.times());
    let mut served = pin!(builder.serve_connection(io, service));
    let over = until_over(&connection, &mut stop, served.as_mut(), |one| one.graceful_shutdown());
    if let Some(Err(cause)) = over.await
        && cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_timeout)
    {
        connection.note(Closed::PingNotAnswered);
    }
}

fn builder(versions: Versions, times: Times) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // It would be for idle connections too: `until_over` tells them apart.
        .header_read_timeout(None)
        .max_buf_size(usize::try_from(HEAD).unwrap_or(usize::MAX));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD)
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(RESETS)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .keep_alive_interval(times.ping)
        .keep_alive_timeout(times.write);
    match versions {
        Versions::Http1 => builder.http1_only(),
        Versions::Http2 => builder.http2_only(),
        Versions::Either => builder,
    }
}

/// Answers one request after the other, or several at a time.
fn service(
    peer: Peer,
    router: Router,
    connection: Arc<Connection>,
) -> impl Service<
    Request<Incoming>,
    Response = Response<Answer>,
    Error = BodyLate,
    Future = impl Future<Output = Result<Response<Answer>, BodyLate>> + Send + 'static,
> {
    let router = TowerToHyperService::new(router);
    service_fn(move |request: Request<Incoming>| {
        let http2 = request.version() == Version::HTTP_2;
        let begun =
            Exchange::begin(&connection, request.body().is_end_stream(), http2).map(|exchange| {
                let mut request = request.map(|body| Body::new(Sent::new(body, &exchange)));
                request.extensions_mut().insert(ConnectInfo(peer.address));
                request.extensions_mut().insert(Caller::new(exchange.key()));
                if let Some(certificate) = &peer.certificate {
                    request.extensions_mut().insert(Arc::clone(certificate));
                }
                (router.call(request), exchange)
            });
        async move {
            let (answer, exchange) = match begun {
                Ok(begun) => begun,
                Err(full) => {
                    let refusal = Problem::from(full).into_response();
                    return Ok(refusal.map(|body| Answer::new(body, None)));
                }
            };
            let answer = tokio::select! {
                biased;
                answer = answer => answer,
                () = exchange.body_is_late() => return Err(BodyLate),
            };
            let response: Response<Body> = match answer {
                Ok(response) => response,
                Err(never) => match never {},
            };
            exchange.answer();
            Ok(response.map(|body| Answer::new(body, Some(exchange))))
        }
    })
}
