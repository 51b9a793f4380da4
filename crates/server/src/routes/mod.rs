//! The interface: one file per endpoint. Each is registered with its verb, and the table of callers says which kinds of
//! callers may do it ([`crate::access::callers`]); the signature of its handler says it too (`AsPerson`, `AsAuditor`,
//! `AsProxy`). Health, keys and metrics are for anybody.

mod alerts;
mod apart;
mod approve;
mod attempted;
mod attempts;
mod body;
mod cancel;
mod configurations;
mod deliveries;
mod deny;
mod discuss;
mod events;
mod evidence;
mod feed;
mod forget_proxy;
mod guard;
mod heads;
mod health;
mod health_detail;
mod held_ends;
mod idempotency_key;
mod introspect;
mod issue;
mod judged;
mod jwks;
mod kill;
mod list;
mod metrics;
mod notify;
mod oauth;
mod oauth_revoke;
mod observe;
mod openapi;
mod opens;
mod page;
mod probes;
mod proxies;
mod refusal;
mod request_page;
mod review_of_request;
mod reviews;
mod revoke;
mod rotations;
mod scopes;
mod service_trail;
mod sessions;
mod show;
mod submit;
mod uses;
mod view;
mod watch;
mod whoami;

use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use tokio::runtime::Handle;

use crate::access::callers::Verb;
use crate::app::App;
use crate::config::Serves;
use crate::limits::{MAX_ALERTS_BODY_BYTES, MAX_BODY_BYTES, MAX_HEADS_BODY_BYTES, MAX_WAIT_S};
use crate::problem::{Problem, Reason};

use guard::{Guards, Routes};
pub(crate) use metrics::router_alone as metrics_router;
pub use observe::VERSION_HEADER;
use observe::{TIMEOUT, say_version};

/// The same for an endpoint on which one may wait.
const LONG_TIMEOUT: Duration = Duration::from_secs(10 + MAX_WAIT_S.unsigned_abs());

/// The whole interface. All of it but the feed is done on `runtime`, wherever its connections are
/// served: when thousands of polls are woken at once, a revocation must not stand in their queue.
pub fn router(app: App, runtime: &Handle) -> Router {
    router_for(app, runtime, Serves::ALL)
}

/// What of the interface a listener has that serves these callers: see [`router`].
pub fn router_for(app: App, runtime: &Handle, serves: Serves) -> Router {
    let apart = from_fn_with_state(runtime.clone(), apart::run);
    let on = Guards::new(&app, serves);
    // Elsewhere an auditor's credential is not looked at.
    let detail = serves.people;
    // Revoking everything may take a while too.
    let revocations =
        on.post(Verb::RevokeMany, kill::handler).on(runtime).and(on.get(Verb::Feed, feed::handler));
    // Each asks an identity provider, or can.
    let requests = on.get(Verb::List, list::handler).and(on.post(Verb::Submit, submit::handler));
    let approve = on.post(Verb::Approve, approve::handler);
    let authorize = on.get(Verb::Authorize, oauth::authorize::handler).on(runtime);
    let callback = on.get(Verb::SignInCallback, oauth::callback::handler).on(runtime);
    let sign_out = on.get(Verb::SignOut, oauth::sign_out::handler).on(runtime);
    let device = on.get(Verb::DevicePage, oauth::device::page::show);
    let device = device.and(on.post(Verb::ConfirmDevice, oauth::device::page::sent)).on(runtime);
    let waits = Routes::default()
        .route("/device", device)
        .route("/oauth2/authorize", authorize)
        .route("/signin/{provider}/callback", callback)
        .route("/signin/{provider}/logout", sign_out)
        .route("/v1/requests/{id}", on.get(Verb::Show, show::handler).on(runtime))
        .route("/v1/revocations", revocations)
        .route("/v1/events", on.get(Verb::Watch, watch::handler).on(runtime))
        .route("/v1/audit/events", on.get(Verb::Events, events::handler).on(runtime))
        .route("/v1/requests", requests.on(runtime))
        .route("/v1/requests/{id}/approve", approve.on(runtime))
        .route("/v1/requests/{id}/token", on.post(Verb::Issue, issue::handler).on(runtime))
        .into_router();
    // The counts of many grants are larger than any other body.
    let heads = on.get(Verb::Heads, heads::list).and(on.post(Verb::ReportHeads, heads::report));
    let heads = heads.max_body(MAX_HEADS_BODY_BYTES);
    let report_alerts = on.post(Verb::ReportAlerts, alerts::report).max_body(MAX_ALERTS_BODY_BYTES);
    let configurations = on.post(Verb::ReportConfiguration, configurations::report);
    let verdicts = on.post(Verb::ProbeAnswers, probes::answers).max_body(probes::MAX_BODY);
    let confirm_held_ends = on.post(Verb::ConfirmHeldEnds, held_ends::confirm);
    let metadata = on.get(Verb::AuthorizationServer, oauth::metadata::handler);
    let device_authorization =
        on.post(Verb::AuthorizeDevice, oauth::device::authorization::handler);
    let answers = Routes::default()
        .route("/v1/requests/{id}/question", on.post(Verb::Question, discuss::question))
        .route("/v1/requests/{id}/answer", on.post(Verb::Answer, discuss::answer))
        .route("/v1/requests/{id}/deny", on.post(Verb::Deny, deny::handler))
        .route("/v1/requests/{id}/cancel", on.post(Verb::Cancel, cancel::handler))
        .route("/v1/scopes", on.get(Verb::Scopes, scopes::handler))
        .route("/v1/grants/{jti}/revoke", on.post(Verb::Revoke, revoke::handler))
        .route("/v1/proxies", on.get(Verb::Proxies, proxies::handler))
        .route("/v1/proxies/configurations", configurations.max_body(configurations::MAX_BODY))
        .route("/v1/proxies/{id}/forget", on.post(Verb::ForgetProxy, forget_proxy::handler))
        .route("/v1/probes", on.post(Verb::Probe, probes::begin))
        .route("/v1/probes/{id}/answers", verdicts)
        .route("/v1/audit/requests", on.get(Verb::Evidence, evidence::handler))
        .route("/v1/audit/service", on.get(Verb::ServiceTrail, service_trail::handler))
        .route("/requests/{id}", on.get(Verb::RequestPage, request_page::show))
        .route("/oauth2/introspect", on.post(Verb::Introspect, introspect::handler))
        .route("/oauth2/revoke", on.post(Verb::RevokeToken, oauth_revoke::handler))
        .route("/oauth2/token", on.post(Verb::Exchange, oauth::token::handler))
        .route("/oauth2/device_authorization", device_authorization)
        .route("/.well-known/oauth-authorization-server", metadata)
        .route("/v1/whoami", on.get(Verb::WhoAmI, whoami::handler))
        .route("/v1/whoami/notify", on.put(Verb::Notify, notify::handler))
        .route("/v1/sessions", on.get(Verb::Sessions, sessions::list))
        .route("/v1/sessions/{id}/end", on.post(Verb::EndSession, sessions::end))
        .route("/v1/directory/held-ends", on.get(Verb::HeldEnds, held_ends::list))
        .route("/v1/directory/held-ends/confirm", confirm_held_ends)
        .route("/v1/deliveries", on.get(Verb::Deliveries, deliveries::list))
        .route("/v1/deliveries/{id}/replay", on.post(Verb::Replay, deliveries::replay))
        .route("/v1/reviews", on.get(Verb::Reviews, reviews::list))
        .route("/v1/reviews/{id}", on.get(Verb::Review, reviews::show))
        .route("/v1/reviews/{id}/sign", on.post(Verb::SignReview, reviews::sign))
        .route("/v1/reviews/{id}/dispute", on.post(Verb::DisputeReview, reviews::dispute))
        .route("/v1/rotations", on.get(Verb::Rotations, rotations::list))
        .route("/v1/rotations/{id}/done", on.post(Verb::RotationDone, rotations::done))
        .route("/v1/rotations/{id}/retry", on.post(Verb::RetryRotation, rotations::retry))
        .route("/.well-known/jwks.json", on.get(Verb::Jwks, jwks::handler))
        .route("/healthz", on.get(Verb::Alive, move |app, parts| health::alive(detail, app, parts)))
        .route("/readyz", on.get(Verb::Ready, health::ready))
        .route("/metrics", on.get(Verb::Metrics, metrics::handler))
        .route("/openapi.json", on.get(Verb::Openapi, openapi::handler))
        .into_router()
        .layer(apart);
    // Evidence has a thread of its own: see `crate::evidence`.
    let evidence = Routes::default()
        .route("/v1/audit/heads", heads)
        .route("/v1/alerts", report_alerts)
        .route("/v1/audit/alerts", on.get(Verb::Alerts, alerts::list))
        .route("/v1/grants/{jti}/uses", on.get(Verb::GrantUses, uses::of_grant))
        .route("/v1/scopes/uses", on.get(Verb::ScopeUses, uses::of_scope))
        .route("/v1/audit/attempts", on.get(Verb::Attempts, attempts::handler))
        .into_router()
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
