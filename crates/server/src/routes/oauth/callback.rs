//! `GET /signin/{provider}/callback`: the browser comes back from an identity provider.
//!
//! What cannot be of a sign-in that this browser began is a page with 400; everything else goes to the client that waits.

use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use breakglass_identity::{Callback, Factor, Groups, ProviderError, SignInError, SignedIn};

use super::client::{CLIENT_ID, ClientRedirect};
use super::cookie::{cookie, set_cookie};
use super::{instant, page, path_of, providers, source};
use crate::app::App;
use crate::auth::identity::RefusedCaller;
use crate::clock::Moment;
use crate::domain::sessions::{self, Binding, SaidGroups, SignInRefused};
use crate::evidence::CallerKind;
use crate::problem::{Problem, Reason};
use crate::signin::UnderWay;
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
    let refused = |text: &str| page::failure(StatusCode::BAD_REQUEST, text);
    let callback = match Callback::from_query(request.uri().query().unwrap_or_default()) {
        Ok(callback) => callback,
        Err(error) => return refused(&format!("{error}. Start again with `breakglass login`.")),
    };
    let under_way = cookie(request.headers()).and_then(|sealed| app.seals().open(sealed));
    // Also where the browser comes to the path of another provider than it was sent to.
    let is_its =
        |one: &UnderWay| one.sign_in.provider() == name && one.sign_in.state() == callback.state;
    let Some(under_way) = under_way.filter(is_its) else {
        return refused(
            "This browser did not begin this sign-in, began another one after it, or took too long; or the service was \
             restarted meanwhile. Start again with `breakglass login`.",
        );
    };
    let config = app.config();
    let UnderWay { sign_in, redirect_uri, code_challenge, state } = under_way;
    let client = ClientRedirect { uri: &redirect_uri, state: Some(&state), issuer: &config.issuer };
    let source = source(request.extensions());
    let now = app.now();
    let finished =
        providers.ask(provider, move |provider| provider.finish(sign_in, &callback, instant(now)));
    let mut response = match finished.await {
        Err(busy) => client.error("temporarily_unavailable", &busy.to_string()),
        Ok(Err(error)) => {
            tracing::warn!(provider = name, source, %error, "not signed in");
            client.error(word(&error), &error.to_string())
        }
        Ok(Ok(signed_in)) => {
            let binding = Binding {
                client: CLIENT_ID,
                redirect_uri: &redirect_uri,
                code_challenge: &code_challenge,
            };
            let who = said(signed_in, source);
            match sessions::sign_in(&app, app.now(), &who, binding).await {
                Ok(code) => client.code(&code),
                Err(why) => not_let_in(&client, &who, why),
            }
        }
    };
    // It was good for one answer.
    let path = format!("{}{}", path_of(&config.issuer), provider.entry().callback_path());
    if let Ok(cookie) = HeaderValue::from_str(&set_cookie(&config.issuer, "", &path, 0)) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// The answer to a person who signed in there, and is not let in here: it is noted as a refusal of a known caller.
fn not_let_in(
    client: &ClientRedirect<'_>,
    who: &sessions::SignedIn,
    why: SignInRefused,
) -> Response {
    let description = why.to_string();
    if let SignInRefused::Store(error) = why {
        let reason = Problem::from(error).reason();
        return client.error("temporarily_unavailable", reason.title());
    }
    tracing::warn!(
        account = who.name(),
        source = who.source,
        cause = description,
        "sign-in refused"
    );
    let mut response = client.error("access_denied", &description);
    response.extensions_mut().insert(Reason::SignInRefused);
    response.extensions_mut().insert(RefusedCaller((CallerKind::Person, who.name())));
    response
}

/// The error's word: of RFC 6749 section 4.1.2.1, or of OpenID Connect.
fn word(error: &SignInError) -> &'static str {
    match error {
        SignInError::Provider(ProviderError::Refused(refusal)) => match refusal.code() {
            "temporarily_unavailable" => "temporarily_unavailable",
            "server_error" => "server_error",
            "unmet_authentication_requirements" => "unmet_authentication_requirements",
            _ => "access_denied",
        },
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
