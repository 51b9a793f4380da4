//! What shows that a form of `/device` is of a page that this browser opened here: the page has a sealed text in it, and the
//! browser a cookie that goes with it. So no other site can type a code for a person, or go on for them.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::super::cookie::Cookie;
use super::super::path_of;
use super::PAGE;
use crate::app::App;
use crate::clock::Moment;
use crate::config::Digest;
use crate::session_token::sha256;
use crate::signin::Sealed;

/// How long a page can be used, in seconds.
const MAX_AGE_S: i64 = 10 * 60;

/// How long the cookie of a browser is, in characters.
const COOKIE_LENGTH: usize = 43;

/// What is sealed in a page.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Page {
    /// The SHA-256 of the cookie.
    pub(super) browser: Digest,
    /// The SHA-256 of the device code that the page is about; nothing where a code is to be typed.
    pub(super) code: Option<Digest>,
    /// When it was made, in seconds.
    made_at: i64,
}

impl Sealed for Page {
    const USE: &'static [u8] = b"breakglass device page 1";
}

impl Page {
    /// For this browser.
    pub(super) fn new(now: Moment, browser: Digest, code: Option<Digest>) -> Page {
        Page { browser, code, made_at: now.seconds() }
    }

    /// What came with a form; nothing where it is not of a page that this browser opened in time.
    pub(super) fn read(app: &App, now: Moment, headers: &HeaderMap, form: &str) -> Option<Page> {
        let page: Page = app.sign_ins().seals.open(form)?;
        let browser = sha256(&Cookie::Device.find(&app.config().issuer, headers)?);
        let is_young = (0..MAX_AGE_S).contains(&now.seconds().saturating_sub(page.made_at));
        (page.browser == browser && is_young).then_some(page)
    }

    /// The hidden field.
    pub(super) fn field(&self, app: &App) -> String {
        // Where it cannot be sealed, the form cannot be used.
        let sealed = app.sign_ins().seals.seal(self, app.randomness()).unwrap_or_default();
        format!("<input type=\"hidden\" name=\"form\" value=\"{sealed}\">")
    }
}

/// What this browser has in its cookie, or a new one. It is kept where it is there, so that a person who begins again, in the
/// same browser, goes on with a code that it has confirmed.
pub(super) fn browser(app: &App, headers: &HeaderMap) -> String {
    let is_ours = |value: &String| {
        value.len() == COOKIE_LENGTH
            && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let new = || URL_SAFE_NO_PAD.encode(app.randomness().bytes::<32>());
    Cookie::Device.find(&app.config().issuer, headers).filter(is_ours).unwrap_or_else(new)
}

/// The browser keeps it.
pub(super) fn remember(app: &App, browser: &str, mut response: Response) -> Response {
    let issuer = &app.config().issuer;
    let path = format!("{}{PAGE}", path_of(issuer));
    let cookie = Cookie::Device.set(issuer, browser, &path, MAX_AGE_S.unsigned_abs());
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}
