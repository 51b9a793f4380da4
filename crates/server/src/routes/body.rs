//! Reads paths, queries and bodies, and says in the service's own way what is wrong with them.

use std::time::Duration;

use axum::body::{Bytes, HttpBody as _};
use axum::extract::rejection::{BytesRejection, FormRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::duration;
use crate::limits::MAX_WAIT_S;
use crate::problem::{FieldProblem, Problem, Reason};

/// A JSON body.
pub(super) struct JsonBody<T>(pub(super) T);

/// A JSON body, or none at all.
pub(super) struct OptionalBody<T>(pub(super) T);

/// A form body.
pub(super) struct FormBody<T>(pub(super) T);

/// The id in the path.
pub(super) struct Id(pub(super) String);

/// The query.
pub(super) struct QueryString<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<App> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<JsonBody<T>, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(
                Reason::UnsupportedMediaType,
                "send the body as `content-type: application/json`",
            ));
        }
        let bytes = Bytes::from_request(request, app).await.map_err(|e| unreadable(&e))?;
        let value = serde_json::from_slice(&bytes).map_err(|error| {
            Problem::new(Reason::InvalidRequest, format!("the body is not as expected: {error}"))
        })?;
        Ok(JsonBody(value))
    }
}

impl<T: DeserializeOwned + Default> FromRequest<App> for OptionalBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<OptionalBody<T>, Problem> {
        if request.body().is_end_stream() {
            return Ok(OptionalBody(T::default()));
        }
        let JsonBody(value) = JsonBody::from_request(request, app).await?;
        Ok(OptionalBody(value))
    }
}

impl<T: DeserializeOwned> FromRequest<App> for FormBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<FormBody<T>, Problem> {
        match axum::Form::<T>::from_request(request, app).await {
            Ok(axum::Form(value)) => Ok(FormBody(value)),
            Err(FormRejection::InvalidFormContentType(_)) => Err(Problem::new(
                Reason::UnsupportedMediaType,
                "send the body as `content-type: application/x-www-form-urlencoded`",
            )),
            Err(FormRejection::BytesRejection(error)) => Err(unreadable(&error)),
            // The library's words could repeat what was sent, and what was sent is a token.
            Err(_) => {
                Err(Problem::new(Reason::InvalidRequest, "token: expected once, as a form field"))
            }
        }
    }
}

impl FromRequestParts<App> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Id, Problem> {
        match Path::<String>::from_request_parts(parts, app).await {
            Ok(Path(id)) => Ok(Id(id)),
            Err(_) => Err(Problem::new(Reason::InvalidRequest, "the id in the path is not UTF-8")),
        }
    }
}

impl<T: DeserializeOwned> FromRequestParts<App> for QueryString<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<QueryString<T>, Problem> {
        let query = Query::<T>::from_request_parts(parts, app).await;
        let Query(value) = query.map_err(|error: QueryRejection| {
            Problem::new(Reason::InvalidRequest, format!("query: {}", error.body_text()))
        })?;
        Ok(QueryString(value))
    }
}

/// Collects what is wrong with the fields of one body.
#[derive(Default)]
pub(super) struct FieldErrors(Vec<FieldProblem>);

impl FieldErrors {
    pub(super) fn add(&mut self, field: impl Into<String>, detail: impl Into<String>) {
        let reason = Reason::InvalidRequest.into();
        self.0.push(FieldProblem { field: field.into(), reason, detail: detail.into() });
    }

    /// Adds what `check` says of a field.
    pub(super) fn check(&mut self, field: &str, check: Result<(), String>) {
        if let Err(detail) = check {
            self.add(field, detail);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn finish(self) -> Result<(), Problem> {
        if self.0.is_empty() { Ok(()) } else { Err(self.into_problem()) }
    }

    /// The refusal.
    pub(super) fn into_problem(self) -> Problem {
        Problem::fields(self.0)
    }
}

/// How long `?wait=` says to wait; not at all where it is not there.
pub(super) fn wait(text: Option<String>) -> Result<Duration, Problem> {
    let Some(text) = text else { return Ok(Duration::ZERO) };
    match duration::parse_exact(&text) {
        Ok(wait) if wait <= duration::from_seconds(MAX_WAIT_S) => Ok(wait),
        _ => Err(Problem::fields(vec![FieldProblem {
            field: "wait".to_owned(),
            reason: Reason::InvalidRequest.into(),
            detail: format!("expected a duration such as `25s`, at most {MAX_WAIT_S}s"),
        }])),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

fn unreadable(error: &BytesRejection) -> Problem {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::new(Reason::BodyTooLarge, "the body is larger than any valid one");
    }
    Problem::new(Reason::InvalidRequest, "the body did not arrive whole")
}
