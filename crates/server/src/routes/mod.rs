//! The interface: one file per endpoint. Who may call it is in the signature of its handler
//! (`AsPerson`, `AsProxy`); health, keys and metrics are for anybody.

mod apart;
mod approve;
mod attempted;
mod attempts;
mod body;
mod cancel;
mod configurations;
mod deny;
mod evidence;
mod feed;
mod forget_proxy;
mod heads;
mod health;
mod health_detail;
mod idempotency_key;
mod introspect;
mod issue;
mod jwks;
mod kill;
mod list;
mod lookup;
mod metrics;
mod oauth_revoke;
mod observe;
mod openapi;
mod opens;
mod probes;
mod proxies;
mod refusal;
mod revoke;
mod scopes;
mod service_trail;
mod show;
mod submit;
mod view;

use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::routing::{get, post};
use tokio::runtime::Handle;

use crate::app::App;
use crate::limits::{MAX_BODY_BYTES, MAX_HEADS_BODY_BYTES, MAX_WAIT_S};
use crate::problem::{Problem, Reason};

pub(crate) use metrics::router_alone as metrics_router;
pub use observe::VERSION_HEADER;
use observe::{TIMEOUT, say_version};

/// The same for an endpoint on which one may wait.
const LONG_TIMEOUT: Duration = Duration::from_secs(10 + MAX_WAIT_S.unsigned_abs());

/// The whole interface. All of it but the feed is done on `runtime`, wherever its connections are
/// served: when thousands of polls are woken at once, a revocation must not stand in their queue.
pub fn router(app: App, runtime: &Handle) -> Router {
    let apart = from_fn_with_state(runtime.clone(), apart::run);
    let waits = Router::new()
        .route("/v1/requests/{id}", get(show::handler).layer(apart.clone()))
        // Revoking everything may take a while too.
        .route("/v1/revocations", post(kill::handler).layer(apart.clone()).get(feed::handler));
    // The counts of many grants are larger than any other body.
    let heads =
        get(heads::list).post(heads::report).layer(DefaultBodyLimit::max(MAX_HEADS_BODY_BYTES));
    let answers_limit = DefaultBodyLimit::max(probes::MAX_BODY);
    let configurations =
        post(configurations::report).layer(DefaultBodyLimit::max(configurations::MAX_BODY));
    let answers = Router::new()
        .route("/v1/requests", get(list::handler).post(submit::handler))
        .route("/v1/requests/{id}/approve", post(approve::handler))
        .route("/v1/requests/{id}/deny", post(deny::handler))
        .route("/v1/requests/{id}/cancel", post(cancel::handler))
        .route("/v1/requests/{id}/token", post(issue::handler))
        .route("/v1/scopes", get(scopes::handler))
        .route("/v1/grants/{jti}/revoke", post(revoke::handler))
        .route("/v1/proxies", get(proxies::handler))
        .route("/v1/proxies/configurations", configurations)
        .route("/v1/proxies/{id}/forget", post(forget_proxy::handler))
        .route("/v1/probes", post(probes::begin))
        .route("/v1/probes/{id}/answers", post(probes::answers).layer(answers_limit))
        .route("/v1/audit/requests", get(evidence::handler))
        .route("/v1/audit/service", get(service_trail::handler))
        .route("/oauth2/introspect", post(introspect::handler))
        .route("/oauth2/revoke", post(oauth_revoke::handler))
        .route("/.well-known/jwks.json", get(jwks::handler))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::handler))
        .route("/openapi.json", get(openapi::handler));
    let answers = answers.layer(apart);
    // Evidence has a thread of its own: see `crate::evidence`.
    let evidence = Router::new()
        .route("/v1/audit/heads", heads)
        .route("/v1/audit/attempts", get(attempts::handler))
        .layer(from_fn_with_state(app.evidence().runtime(runtime), apart::run));
    let answers = answers.merge(evidence);
    waits
        .layer(from_fn(|request, next| observe::timeout(LONG_TIMEOUT, request, next)))
        .merge(answers.layer(from_fn(|request, next| observe::timeout(TIMEOUT, request, next))))
        .fallback(async || Problem::new(Reason::NotFound, "there is no such endpoint"))
        .method_not_allowed_fallback(async || {
            Problem::new(Reason::MethodNotAllowed, "this endpoint is for another method")
        })
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn_with_state(app.clone(), attempted::observe))
        .layer(from_fn_with_state(app.clone(), observe::count))
        .layer(map_response(say_version))
        .with_state(app)
}
