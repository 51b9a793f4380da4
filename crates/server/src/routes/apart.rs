//! Around an endpoint: the runtime on which its work is done.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::problem::Problem;

/// Answers the request on another runtime than that of its connection. A client that goes away ends
/// the work, as it would here: a set of tasks that is dropped ends them.
pub(super) async fn run(State(runtime): State<Handle>, request: Request, next: Next) -> Response {
    let mut work = JoinSet::new();
    work.spawn_on(next.run(request), &runtime);
    match work.join_next().await {
        Some(Ok(response)) => response,
        Some(Err(error)) => Problem::internal(&error).into_response(),
        // Cannot be: a task was just added.
        None => Problem::internal(&"no task").into_response(),
    }
}
