//! `GET /signin/{provider}/callback`: the browser comes back from an identity provider.
//!
//! What cannot be of a sign-in that this browser began is a page with 400; everything else goes to the client that waits, or
//! is a page where a device waits.

use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use breakglass_identity::{
    Callback, Factor, Groups, Provider, ProviderError, SignInError, SignedIn,
};

use super::client::{CLIENT_ID, ClientRedirect};
use super::cookie::Cookie;
use super::not_let_in::{not_let_in, noted};
use super::provider::Wrong;
use super::{address, device, instant, path_of, providers, source};
use crate::app::App;
use crate::clock::Moment;
use crate::domain::sessions::{self, Binding, SaidGroups};
use crate::routes::page;
use crate::signin::{Busy, ClientWaits, LeadsTo, UnderWay};
use crate::store::FactorRow;

pub(in crate::routes) async fn handler(
    State(app): State<App>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let providers = match providers(&app) {
        Ok(providers) => providers,
        Err(problem) => return problem.into_response(),
    };
    let Some(provider) = providers.get(&name) else {
        return page::failure(
            StatusCode::NOT_FOUND,
            "This service knows no identity provider of this name. Start again with `breakglass login`.",
        );
    };
    let unusable = |text: &str| page::failure(StatusCode::BAD_REQUEST, text);
    let callback = match Callback::from_query(request.uri().query().unwrap_or_default()) {
        Ok(callback) => callback,
        Err(error) => return unusable(&format!("{error}. Start again with `breakglass login`.")),
    };
    let config = app.config();
    let under_way = Cookie::SignIn.find(&config.issuer, request.headers());
    let under_way = under_way.and_then(|sealed| app.sign_ins().seals.open(&sealed));
    // Also where the browser comes to the path of another provider than it was sent to.
    let is_its =
        |one: &UnderWay| one.sign_in.provider() == name && one.sign_in.state() == callback.state;
    let Some(under_way) = under_way.filter(is_its) else {
        return unusable(
            "This browser did not begin this sign-in, began another one after it, or took too long; or the service was \
             restarted meanwhile. Start again with `breakglass login`.",
        );
    };
    let UnderWay { sign_in, leads_to } = under_way;
    let (address, source) = (address(request.extensions()), source(request.extensions()));
    let now = app.now();
    let finished = match app.sign_ins().callbacks.take(now, address) {
        true => {
            let finish =
                move |provider: &Provider| provider.finish(sign_in, &callback, instant(now));
            providers.ask(provider, finish).await
        }
        false => Err(Busy),
    };
    let finished = match finished {
        Err(busy) => Err(("temporarily_unavailable", busy.to_string())),
        Ok(Err(error)) => {
            tracing::warn!(provider = name, source, %error, "not signed in");
            Err((word(&error), error.to_string()))
        }
        Ok(Ok(signed_in)) => Ok(said(signed_in, source)),
    };
    let mut response = match leads_to {
        LeadsTo::Client(waits) => client_answer(&app, &waits, finished).await,
        LeadsTo::Device(waits) => device::finish::page(&app, &waits, finished).await,
    };
    // It was good for one answer.
    let path = format!("{}{}", path_of(&config.issuer), provider.entry().callback_path());
    let cleared = Cookie::SignIn.set(&config.issuer, "", &path, 0);
    if let Ok(cookie) = HeaderValue::from_str(&cleared) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// Sends the browser to the client, with a code or an error.
async fn client_answer(
    app: &App,
    waits: &ClientWaits,
    finished: Result<sessions::SignedIn, Wrong>,
) -> Response {
    let config = app.config();
    let ClientWaits { redirect_uri, code_challenge, state } = waits;
    let client = ClientRedirect { uri: redirect_uri, state: Some(state), issuer: &config.issuer };
    let who = match finished {
        Ok(who) => who,
        Err((error, description)) => return client.error(error, &description),
    };
    let binding = Binding { client: CLIENT_ID, redirect_uri, code_challenge };
    match sessions::sign_in(app, app.now(), &who, binding).await {
        Ok(code) => client.code(&code),
        Err(why) => {
            let (error, description) = not_let_in(&who, why);
            noted(&who, error, client.error(error, &description))
        }
    }
}

/// The words of a provider's refusal that the client is told as they are: of RFC 6749 section 4.1.2.1, of OpenID Connect Core
/// section 3.1.2.6, of OpenID Connect Core Unmet Authentication Requirements 1.0, and one of Entra.
const TOLD: [&str; 9] = [
    "access_denied",
    "authorization_declined",
    "login_required",
    "interaction_required",
    "consent_required",
    "account_selection_required",
    "unmet_authentication_requirements",
    "temporarily_unavailable",
    "server_error",
];

/// Words that say that the provider does not take what this service sent: no one declined.
const OURS: [&str; 6] = [
    "invalid_request",
    "invalid_client",
    "invalid_scope",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_response_type",
];

/// The error's word for the client.
fn word(error: &SignInError) -> &'static str {
    match error {
        SignInError::Provider(ProviderError::Refused(refusal)) => {
            let is_it = |word: &&str| *word == refusal.code();
            match TOLD.into_iter().find(is_it) {
                Some(word) => word,
                None if OURS.iter().any(is_it) => "server_error",
                None => "access_denied",
            }
        }
        error if error.is_outage() => "temporarily_unavailable",
        SignInError::Level(_) => "unmet_authentication_requirements",
        SignInError::OtherPerson => "access_denied",
        _ => "server_error",
    }
}

fn said(signed_in: SignedIn, source: Option<String>) -> sessions::SignedIn {
    let SignedIn { person, groups, factor, session } = signed_in;
    let groups = match groups {
        Groups::Known(groups) => SaidGroups::Known(groups),
        Groups::None => SaidGroups::Known(Vec::new()),
        Groups::Unknown(why) => SaidGroups::Unknown(why),
    };
    sessions::SignedIn {
        provider: person.provider,
        issuer: person.issuer,
        subject: person.subject,
        shown_name: person.name,
        mail: person.mail,
        mail_verified: person.mail_verified,
        groups,
        factor: factor.as_ref().map(row),
        at_provider: Some(session),
        source,
    }
}

fn row(factor: &Factor) -> FactorRow {
    let millis = i64::try_from(factor.auth_time().as_millis()).unwrap_or(i64::MAX);
    FactorRow {
        level: factor.level().to_owned(),
        acr: factor.acr().map(str::to_owned),
        amr: factor.amr().to_vec(),
        auth_time: Moment::from_millis(millis).seconds(),
    }
}
