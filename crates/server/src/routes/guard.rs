//! Every route is registered with its [`Verb`]: the guard of a route authenticates the caller, once, and asks the table
//! of callers, before anything else of the request is read. What the table can only say of a person and one request
//! or grant is for the endpoint to ask.
//!
//! [`Routes`] takes no route without a guard: an [`Endpoint`] is made of verbs and handlers, and of nothing else.

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::handler::Handler;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post, put};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::apart;
use crate::access::Access;
use crate::access::callers::{CallerKind, Verb};
use crate::app::App;
use crate::auth::identity::{self, Caller};
use crate::auth::public_client::is_client;
use crate::config::Serves;
use crate::domain::refresh;
use crate::problem::Problem;

/// How long a caller waits here for an identity provider's answer about their groups.
const PATIENCE: Duration = Duration::from_secs(2);

/// Makes the endpoints of one listener.
pub(super) struct Guards(App, Serves);

/// What is done at one path, each method with its verb. Nothing, where the listener is for other callers.
pub(super) struct Endpoint(Option<MethodRouter<App>>);

/// Guarded routes.
#[derive(Default)]
pub(super) struct Routes(Router<App>);

impl Guards {
    /// For a listener that serves these callers.
    pub(super) fn new(app: &App, serves: Serves) -> Guards {
        Guards(app.clone(), serves)
    }

    /// `GET`, for those whom the table lets do this.
    pub(super) fn get<H: Handler<T, App>, T: 'static>(&self, verb: Verb, handler: H) -> Endpoint {
        self.guarded(verb, get(handler))
    }

    /// `POST`, for those whom the table lets do this.
    pub(super) fn post<H: Handler<T, App>, T: 'static>(&self, verb: Verb, handler: H) -> Endpoint {
        self.guarded(verb, post(handler))
    }

    /// `PUT`, for those whom the table lets do this.
    pub(super) fn put<H: Handler<T, App>, T: 'static>(&self, verb: Verb, handler: H) -> Endpoint {
        self.guarded(verb, put(handler))
    }

    fn guarded(&self, verb: Verb, methods: MethodRouter<App>) -> Endpoint {
        // Not around the answer to another method: that is the same for every caller.
        let guarded = || methods.route_layer(from_fn_with_state((self.0.clone(), verb), guard));
        Endpoint(verb.is_served_by(self.1).then(guarded))
    }
}

impl Endpoint {
    /// Another method at the same path.
    pub(super) fn and(self, other: Endpoint) -> Endpoint {
        Endpoint(match (self.0, other.0) {
            (Some(one), Some(other)) => Some(one.merge(other)),
            (one, other) => one.or(other),
        })
    }

    /// With bodies of at most so many bytes.
    pub(super) fn max_body(self, bytes: usize) -> Endpoint {
        Endpoint(self.0.map(|methods| methods.layer(DefaultBodyLimit::max(bytes))))
    }

    /// On another runtime, guard included.
    pub(super) fn on(self, runtime: &Handle) -> Endpoint {
        let apart = from_fn_with_state(runtime.clone(), apart::run);
        Endpoint(self.0.map(|methods| methods.layer(apart)))
    }
}

impl Routes {
    pub(super) fn route(self, path: &str, endpoint: Endpoint) -> Routes {
        match endpoint.0 {
            Some(methods) => Routes(self.0.route(path, methods)),
            None => self,
        }
    }

    pub(super) fn into_router(self) -> Router<App> {
        self.0
    }
}

async fn guard(
    State((app, verb)): State<(App, Verb)>,
    request: Request,
    next: Next,
) -> Result<Response, Response> {
    if verb.is_for_anybody() {
        return Ok(next.run(request).await);
    }
    let (mut parts, body) = request.into_parts();
    if verb.admits(CallerKind::Client) && is_client(&mut parts) {
        return Ok(next.run(Request::from_parts(parts, body)).await);
    }
    let config = app.config();
    let caller = identity::authenticate(&mut parts, &app, &config);
    if let Ok(Caller::Person(person)) = &caller {
        // Most of what a person sees and stops is by groups. What opens access waits for the answer ([`super::judged`]); this
        // goes on without one, because nothing that ends access may hang on a provider. Where there is nothing to ask, it
        // costs a look into memory.
        let _ = timeout(PATIENCE, refresh(&app, &person.name)).await;
    }
    match caller.and_then(|caller| admit(verb, &caller, Access::of(&config))) {
        Ok(()) => Ok(next.run(Request::from_parts(parts, body)).await),
        Err(problem) => Err(problem.into_response()),
    }
}

/// Whether the table lets this caller do it, as far as that is known before the request is read.
fn admit(verb: Verb, caller: &Caller, access: Access<'_>) -> Result<(), Problem> {
    match caller {
        Caller::Proxy(_) if verb.admits(CallerKind::Proxy) => Ok(()),
        Caller::Proxy(_) => Err(identity::people_only()),
        Caller::Person(_) if !verb.is_for_people() => Err(identity::proxies_only()),
        Caller::Person(person) if verb.is_for_auditors_alone() => Ok(access.check_auditor(person)?),
        Caller::Person(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::Config;
    use crate::problem::Reason;

    const CONFIG: &str = r#"
        listen = "127.0.0.1:0"
        issuer = "https://approvals.test"
        database = "d"
        key_directory = "k"
        auditors = ["readers"]
        [[people]]
        name = "erin"
        token_sha256 = "0000000000000000000000000000000000000000000000000000000000000001"
        [[people]]
        name = "grace"
        groups = ["readers"]
        token_sha256 = "0000000000000000000000000000000000000000000000000000000000000002"
        [[proxies]]
        name = "envoy"
        token_sha256 = "0000000000000000000000000000000000000000000000000000000000000003"
        [[scopes]]
        name = "orders"
        audience = "prod"
        requesters = ["ops"]
        approvers = ["ops"]
        max_duration = "1h"
    "#;

    /// Before the endpoint is asked, which would refuse the same callers.
    #[test]
    fn what_a_credential_says_is_decided_by_the_guard() {
        let config = Config::parse(CONFIG).unwrap();
        let person = |name| Caller::Person(config.person(name).unwrap());
        let proxy = Caller::Proxy(Arc::clone(&config.proxies[0]));
        for (verb, erin, grace, envoy) in [
            (Verb::Deny, None, None, Some(Reason::PeopleOnly)),
            (Verb::Heads, Some(Reason::NotAnAuditor), None, Some(Reason::PeopleOnly)),
            (Verb::Feed, Some(Reason::ProxiesOnly), Some(Reason::ProxiesOnly), None),
            (Verb::List, None, None, Some(Reason::PeopleOnly)),
        ] {
            let callers =
                [(person("erin"), erin), (person("grace"), grace), (proxy.clone(), envoy)];
            for (caller, expected) in callers {
                let refusal = admit(verb, &caller, Access::of(&config)).err();
                let reason = refusal.map(|problem| problem.reason());
                assert_eq!(reason, expected, "{verb:?} {caller:?}");
            }
        }
    }
}
