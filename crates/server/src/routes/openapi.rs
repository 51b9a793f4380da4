//! `GET /openapi.json`: the description of this interface.

use axum::http::{HeaderName, header};

const DOCUMENT: &str = include_str!("../../openapi.json");

pub(super) async fn handler() -> ([(HeaderName, &'static str); 1], &'static str) {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT)
}
