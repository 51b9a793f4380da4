//! `GET /openapi.json`: the description of this interface, made of its types.

use std::sync::LazyLock;

use axum::http::{HeaderName, header};

static DOCUMENT: LazyLock<String> =
    LazyLock::new(|| breakglass_api::document::document().to_string());

pub(super) async fn handler() -> ([(HeaderName, &'static str); 1], &'static str) {
    ([(header::CONTENT_TYPE, "application/json")], &DOCUMENT)
}
