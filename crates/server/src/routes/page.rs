//! Pages without a script, for what is said to a person and not to the client.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};

/// Nothing is loaded, sent or framed.
const POLICY: &str =
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The same, of a page with a form for this service.
const FORM_POLICY: &str =
    "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// A page that says what is wrong, and what to do.
pub(super) fn failure(status: StatusCode, text: &str) -> Response {
    titled(status, "Not signed in", text)
}

/// A page with this title and one paragraph.
pub(super) fn titled(status: StatusCode, title: &str, text: &str) -> Response {
    page(status, title, &format!("<p>{}</p>", escaped(text)), POLICY)
}

/// A page whose `body` is HTML.
pub(super) fn plain(title: &str, body: &str) -> Response {
    page(StatusCode::OK, title, body, POLICY)
}

/// A page with a form, whose `body` is HTML.
pub(super) fn form(status: StatusCode, title: &str, body: &str) -> Response {
    page(status, title, body, FORM_POLICY)
}

/// A page that sends the browser on. A redirect would not do: browsers hold what answers a form against `form-action`, with
/// every address that the provider redirects to.
pub(super) fn onward(title: &str, location: &str) -> Response {
    let location = escaped(location);
    let body = format!(
        "<meta http-equiv=\"refresh\" content=\"0; url={location}\"><p><a href=\"{location}\">Go on</a></p>"
    );
    page(StatusCode::OK, title, &body, POLICY)
}

/// A page on which a person chooses where to sign in: each a name and a link.
pub(super) fn choice(links: &[(&str, String)]) -> Response {
    let items: String = links
        .iter()
        .map(|(name, link)| format!("<li><a href=\"{}\">{}</a></li>", escaped(link), escaped(name)))
        .collect();
    page(StatusCode::OK, "Where do you sign in?", &format!("<ul>{items}</ul>"), POLICY)
}

fn page(status: StatusCode, title: &str, body: &str, policy: &'static str) -> Response {
    let text = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title></head><body><h1>{title}</h1>{body}</body></html>"
    );
    let value = HeaderValue::from_static;
    let headers: [(HeaderName, HeaderValue); 4] = [
        (header::CONTENT_SECURITY_POLICY, value(policy)),
        (header::X_CONTENT_TYPE_OPTIONS, value("nosniff")),
        (header::REFERRER_POLICY, value("no-referrer")),
        (header::CACHE_CONTROL, value("no-store")),
    ];
    (status, headers, Html(text)).into_response()
}

/// Fit to stand in HTML, between tags and in quotes.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
