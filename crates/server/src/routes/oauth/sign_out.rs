//! `GET /signin/{provider}/logout`: the browser of a person who signs out is sent to the identity provider's page for that.
//!
//! No session here ends by it: any page can send a browser there.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::client::redirect;
use super::{instant, providers};
use crate::app::App;
use crate::routes::page;

const TITLE: &str = "Not signed out";

pub(in crate::routes) async fn handler(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Response {
    let providers = match providers(&app) {
        Ok(providers) => providers,
        Err(problem) => return problem.into_response(),
    };
    let refused = |status, text: &str| page::titled(status, TITLE, text);
    let Some(provider) = providers.get(&name) else {
        return refused(
            StatusCode::NOT_FOUND,
            "This service knows no identity provider of this name.",
        );
    };
    let now = instant(app.now());
    match providers.ask(provider, move |provider| provider.sign_out_page(now)).await {
        Ok(Ok(Some(url))) => redirect(url.as_str()),
        Ok(Ok(None)) => refused(
            StatusCode::NOT_FOUND,
            "This identity provider has no page for signing out: sign out at its own pages.",
        ),
        Ok(Err(error)) => refused(StatusCode::SERVICE_UNAVAILABLE, &format!("{error}.")),
        Err(busy) => refused(StatusCode::SERVICE_UNAVAILABLE, &format!("{busy}.")),
    }
}
