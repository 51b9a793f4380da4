//! Around every endpoint: the time it may take, the counters, and the version.

use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;

use crate::app::App;
use crate::problem::{Problem, Reason};

/// The header in which each answer says the version of the service.
pub const VERSION_HEADER: &str = "breakglass-version";

/// How long an answer may take, body included: above what the database may wait for its lock.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

pub(super) async fn timeout(limit: Duration, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = "the service did not answer in time; \
                          `breakglass status` shows whether anything changed";
            Problem::new(Reason::Timeout, detail).into_response()
        }
    }
}

pub(super) async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    // Only our own paths and methods become labels: a client cannot make up new ones.
    let endpoint = request.extensions().get::<MatchedPath>().cloned();
    let endpoint = endpoint.as_ref().map_or("unmatched", MatchedPath::as_str);
    let method = match request.method().as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        _ => "other",
    };
    let start = Instant::now();
    let response = next.run(request).await;
    let seconds = start.elapsed().as_secs_f64();
    app.metrics().answered(method, endpoint, response.status().as_u16(), seconds);
    response
}

/// Each answer says whose it is. `server` would not do: proxies put their own name there.
pub(super) async fn say_version(mut response: Response) -> Response {
    let version = HeaderValue::from_static(env!("CARGO_PKG_VERSION"));
    response.headers_mut().insert(VERSION_HEADER, version);
    response
}
