//! The port of this machine at which the browser comes back (RFC 8252 section 7.3). Any program here, and any page in the
//! browser, can send requests to it: one that is not the answer to this sign-in is refused, and the wait goes on.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::header::HOST;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// How long the page that the browser gets may take to arrive.
const FAREWELL: Duration = Duration::from_secs(1);

/// The port.
pub(super) struct Loopback {
    listener: TcpListener,
    authority: String,
}

/// What the browser brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Code(String),
    Error {
        error: String,
        description: String,
    },
    /// It is the answer of another authorization server (RFC 9207 section 2.4).
    OtherIssuer,
}

/// By what an answer to this sign-in is known.
struct Expected {
    authority: String,
    state: String,
    issuer: String,
    answers: mpsc::Sender<Answer>,
}

impl Loopback {
    pub(super) fn bind() -> io::Result<Loopback> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let authority = listener.local_addr()?.to_string();
        Ok(Loopback { listener, authority })
    }

    /// Where the service sends the browser.
    pub(super) fn redirect_uri(&self) -> String {
        format!("http://{}/callback", self.authority)
    }

    /// Waits for the answer with this `state`; nothing where none came in time.
    pub(super) fn wait(
        self,
        state: &str,
        issuer: &str,
        limit: Duration,
    ) -> io::Result<Option<Answer>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (answers, mut answer) = mpsc::channel(1);
        let (authority, listener) = (self.authority, self.listener);
        let (state, issuer) = (state.to_owned(), issuer.to_owned());
        let expected = Arc::new(Expected { authority, state, issuer, answers });
        let router = Router::new()
            .route("/callback", get(callback))
            .fallback(async || stray(StatusCode::NOT_FOUND))
            .with_state(expected);
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let (stop, stopped) = oneshot::channel::<()>();
            let served = axum::serve(listener, router).with_graceful_shutdown(async {
                // Also where it is dropped.
                let _ = stopped.await;
            });
            let served = tokio::spawn(served.into_future());
            let answer = timeout(limit, answer.recv()).await.ok().flatten();
            let _ = stop.send(());
            // The sign-in does not hang on the page.
            let _ = timeout(FAREWELL, served).await;
            Ok(answer)
        })
    }
}

async fn callback(
    State(expected): State<Arc<Expected>>,
    method: Method,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    // Another name for this address is a page's that tries to reach it (DNS rebinding).
    let is_here = headers.get(HOST).is_some_and(|host| host == expected.authority.as_str());
    let answer = query.and_then(|query| expected.read(&query));
    let Some(answer) = answer.filter(|_| is_here && method == Method::GET) else {
        return stray(StatusCode::BAD_REQUEST);
    };
    let text = match answer {
        Answer::Code(_) => "The browser's part is done.",
        _ => "You are not signed in.",
    };
    match expected.answers.try_send(answer) {
        Ok(()) => page(StatusCode::OK, text),
        // It has one.
        Err(_) => stray(StatusCode::BAD_REQUEST),
    }
}

impl Expected {
    /// The answer to this sign-in; nothing for what is none.
    fn read(&self, query: &str) -> Option<Answer> {
        let mut pairs = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()).into_owned() {
            if pairs.insert(name, value).is_some() {
                return None;
            }
        }
        if pairs.get("state") != Some(&self.state) {
            return None;
        }
        if pairs.get("iss") != Some(&self.issuer) {
            return Some(Answer::OtherIssuer);
        }
        let description = pairs.remove("error_description").unwrap_or_default();
        match (pairs.remove("code"), pairs.remove("error")) {
            (Some(code), None) => Some(Answer::Code(code)),
            (None, Some(error)) => Some(Answer::Error { error, description }),
            _ => None,
        }
    }
}

fn stray(status: StatusCode) -> Response {
    page(status, "This is not the answer that breakglass waits for.")
}

/// A page without a script, which repeats nothing that was sent.
fn page(status: StatusCode, text: &str) -> Response {
    let html = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>breakglass</title></head><body><p>{text} \
         Go back to your terminal: it says what comes next. You can close this page.</p></body></html>"
    );
    let value = HeaderValue::from_static;
    let headers: [(HeaderName, HeaderValue); 5] = [
        (header::CONTENT_SECURITY_POLICY, value("default-src 'none'; frame-ancestors 'none'")),
        (header::X_CONTENT_TYPE_OPTIONS, value("nosniff")),
        (header::REFERRER_POLICY, value("no-referrer")),
        (header::CACHE_CONTROL, value("no-store")),
        (header::CONNECTION, value("close")),
    ];
    (status, headers, Html(html)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected() -> Expected {
        let (answers, _) = mpsc::channel(1);
        Expected {
            authority: "127.0.0.1:1".to_owned(),
            state: "s".to_owned(),
            issuer: "https://a.test".to_owned(),
            answers,
        }
    }

    #[test]
    fn an_answer_has_state_issuer_and_one_of_code_and_error() {
        let issuer = "iss=https%3A%2F%2Fa.test";
        let read = |query: &str| expected().read(query);
        assert_eq!(read(&format!("state=s&code=c&{issuer}")), Some(Answer::Code("c".to_owned())));
        let error = Answer::Error { error: "e".to_owned(), description: "d e".to_owned() };
        assert_eq!(read(&format!("error=e&error_description=d+e&state=s&{issuer}")), Some(error));
        for other in ["state=s&code=c", "state=s&code=c&iss=https://b.test", "state=s&error=e"] {
            assert_eq!(read(other), Some(Answer::OtherIssuer), "{other}");
        }
        for stray in [
            "".to_owned(),
            format!("code=c&{issuer}"),
            format!("state=x&code=c&{issuer}"),
            format!("state=s&state=s&code=c&{issuer}"),
            format!("state=s&code=c&error=e&{issuer}"),
            format!("state=s&{issuer}"),
        ] {
            assert_eq!(read(&stray), None, "{stray}");
        }
    }
}
