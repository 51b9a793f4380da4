//! `/device`: a person types the code that a device shows, reads where it was started and what signing in gives, and goes on to
//! the provider or says no.
//!
//! The code is typed by hand: no link carries it, and no other site can send the form ([`super::form`]). How often it is tried
//! is limited, per address and in all.

use axum::extract::{Form, FromRequest as _, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use breakglass_api::session::DeviceForm;

use super::super::client::CLIENT_ID;
use super::super::provider::{ToProvider, level};
use super::super::{address, base, providers};
use super::form::{Page, browser, remember};
use super::{PAGE, fitting};
use crate::app::App;
use crate::clock::{Moment, rfc3339};
use crate::config::{DeviceSignIn, Digest};
use crate::routes::page::{escaped, failure, form, onward, titled};
use crate::session_token::sha256;
use crate::signin::devices::{Device, NotYours};
use crate::signin::{DeviceWaits, LeadsTo, Providers, user_code};

pub(in crate::routes) async fn show(State(app): State<App>, headers: HeaderMap) -> Response {
    if let Err(response) = usable(&app) {
        return response;
    }
    let browser = browser(&app, &headers);
    let page = Page::new(app.now(), sha256(&browser), None);
    remember(&app, &browser, type_code(&app, &page, StatusCode::OK, ""))
}

pub(in crate::routes) async fn sent(State(app): State<App>, request: Request) -> Response {
    if let Err(response) = usable(&app) {
        return response;
    }
    let (headers, source) = (request.headers().clone(), address(request.extensions()));
    let sent = match Form::<DeviceForm>::from_request(request, &app).await {
        Ok(Form(sent)) => sent,
        Err(_) => {
            return failure(
                StatusCode::BAD_REQUEST,
                &again(&app, "This is not what the page sends."),
            );
        }
    };
    let now = app.now();
    let page = Page::read(&app, now, &headers, sent.form.as_deref().unwrap_or_default());
    let Some(page) = page else {
        let text = "This page was not opened in this browser, or more than ten minutes ago; or the service was restarted.";
        return failure(StatusCode::BAD_REQUEST, &again(&app, text));
    };
    let Some(code) = page.code else {
        if !app.sign_ins().typed_codes.take(now, source) {
            let text = "Too many codes were typed, here or elsewhere: try again in a minute.";
            let refused = type_code(&app, &page, StatusCode::TOO_MANY_REQUESTS, text);
            return ([(header::RETRY_AFTER, "60")], refused).into_response();
        }
        return typed(&app, now, &page, sent.code.as_deref().unwrap_or_default());
    };
    match (sent.answer.as_deref(), sent.provider) {
        (Some("no"), _) => refuse(&app, now, &page, &code),
        (None, Some(provider)) => go_on(&app, now, &page, &code, &provider).await,
        _ => failure(StatusCode::BAD_REQUEST, &again(&app, "This is not what the page sends.")),
    }
}

/// Whether people sign in so.
fn usable(app: &App) -> Result<(), Response> {
    providers(app).map_err(|problem| problem.into_response())?;
    match app.config().device_sign_in {
        DeviceSignIn::Off => Err(failure(
            StatusCode::NOT_FOUND,
            "This service signs no person in by a code that is typed. Run `breakglass login` on a machine with a browser.",
        )),
        DeviceSignIn::Requesters | DeviceSignIn::Everyone => Ok(()),
    }
}

/// This text, and where to begin again.
fn again(app: &App, text: &str) -> String {
    format!(
        "{text} Open {}{PAGE} and type the code that the device shows.",
        base(&app.config().issuer)
    )
}

/// The page on which the code is typed.
fn type_code(app: &App, page: &Page, status: StatusCode, text: &str) -> Response {
    let body = format!(
        "<p><strong>{}</strong></p><p>Type the code that your device shows. Never type a code that a person, a mail or a page \
         sent you: it signs their device in, as you.</p><form method=\"post\">{}<p><label>Code <input name=\"code\" \
         autocomplete=\"off\" autocapitalize=\"characters\" spellcheck=\"false\" maxlength=\"64\" required autofocus></label> \
         <button>Go on</button></p></form>",
        escaped(text),
        page.field(app)
    );
    form(status, "Sign in for a device", &body)
}

/// A code was typed.
fn typed(app: &App, now: Moment, page: &Page, typed: &str) -> Response {
    let wrong = |text: &str| type_code(app, page, StatusCode::BAD_REQUEST, text);
    let Some(letters) = user_code::fold(typed) else {
        return wrong("A code has eight letters, such as WDJB-MJHT: no vowels, no digits.");
    };
    match app.sign_ins().devices.find(now, &letters, &page.browser) {
        Ok((code, device)) => {
            let Ok(providers) = providers(app) else { return wrong("Nobody can sign in here.") };
            let page = Page::new(now, page.browser, Some(code));
            ask(app, &providers, now, &page, &letters, &device)
        }
        Err(NotYours::Unknown) => wrong(
            "There is no such code: it counts for five minutes. Look again at what the device shows, or start again there.",
        ),
        Err(NotYours::Decided) => wrong(DECIDED),
    }
}

/// What is said of a code with which another browser went on.
const DECIDED: &str = "This code was used already, in this browser or in another one. If you did not do it, start again at the \
                       device: it shows another code.";

/// The page on which the person decides.
fn ask(
    app: &App,
    providers: &Providers,
    now: Moment,
    page: &Page,
    letters: &str,
    device: &Device,
) -> Response {
    let address = device.source.map_or_else(|| "not known".to_owned(), |source| source.to_string());
    let ago = now.seconds().saturating_sub(device.started_at.seconds());
    let (code, at) = (user_code::shown(letters), rfc3339(device.started_at.seconds()));
    let mut facts = format!(
        "<dt>Code</dt><dd>{code}</dd><dt>Started from the address</dt><dd>{address}</dd><dt>Started at</dt><dd>{at}, {ago} s \
         ago</dd><dt>Program</dt><dd>{CLIENT_ID}</dd>"
    );
    let more = [("Level of sign-in", device.level.as_ref()), ("Account", device.account.as_ref())];
    for (what, value) in more {
        if let Some(value) = value {
            facts.push_str(&format!("<dt>{what}</dt><dd>{}</dd>", escaped(value)));
        }
    }
    let button = |name: &str| {
        let name = escaped(name);
        format!(
            "<p><button name=\"provider\" value=\"{name}\">Go on, and sign in at {name}</button></p>"
        )
    };
    let fitting = fitting(providers, device);
    let buttons: String = fitting.iter().map(|provider| button(&provider.entry().name)).collect();
    let body = format!(
        "<dl>{facts}</dl><p>If you go on and sign in, the device at this address acts as you, for up to 12 hours: it asks for \
         access in your name, and uses it.</p><p><strong>Go on only if you started this yourself a moment ago, at a device that \
         shows this code. If a person, a mail or a page sent you here or gave you the code, it is an attack: say no, and tell \
         your security people.</strong></p><form method=\"post\">{}<p><button name=\"answer\" value=\"no\">No, I did not start \
         this</button></p>{buttons}</form>",
        page.field(app)
    );
    form(StatusCode::OK, "Sign in for this device?", &body)
}

/// The person says no.
fn refuse(app: &App, now: Moment, page: &Page, code: &Digest) -> Response {
    let why = "the person who typed the code said no";
    match app.sign_ins().devices.refuse(now, code, &page.browser, why) {
        Ok(()) => {
            titled(StatusCode::OK, "Refused", "The device gets no access. You can close this page.")
        }
        Err(why) => gone(app, why),
    }
}

/// The person goes on to sign in.
async fn go_on(app: &App, now: Moment, page: &Page, code: &Digest, provider: &str) -> Response {
    let Ok(providers) = providers(app) else { return gone(app, NotYours::Unknown) };
    let device = match app.sign_ins().devices.confirm(now, code, &page.browser) {
        Ok(device) => device,
        Err(why) => return gone(app, why),
    };
    let fitting = fitting(&providers, &device);
    let Some(provider) = fitting.into_iter().find(|one| one.entry().name == provider) else {
        return failure(
            StatusCode::BAD_REQUEST,
            &again(
                app,
                "This identity provider is not one at which a person can sign in for this device.",
            ),
        );
    };
    let person = device.account.as_ref().and_then(|account| account.split_once(':'));
    let person = person.map(|(_, subject)| subject.to_owned());
    let level = match level(&provider, device.level.as_deref(), device.max_age) {
        Ok(level) => level,
        Err((_, why)) => return failure(StatusCode::BAD_REQUEST, &again(app, &why)),
    };
    let leads_to = LeadsTo::Device(DeviceWaits { code: *code, browser: page.browser });
    let asked = ToProvider { provider, level, person, login_hint: None, leads_to };
    match asked.begin(app, &providers).await {
        Ok((url, cookie)) => {
            let mut response = onward("Sign in for this device", url.as_str());
            response.headers_mut().insert(header::SET_COOKIE, cookie);
            response
        }
        Err((_, why)) => failure(StatusCode::SERVICE_UNAVAILABLE, &again(app, &format!("{why}."))),
    }
}

/// The code cannot be decided by this browser any more.
pub(super) fn gone(app: &App, why: NotYours) -> Response {
    match why {
        NotYours::Unknown => failure(
            StatusCode::BAD_REQUEST,
            &again(
                app,
                "This code is over: it counts for five minutes. Start again at the device.",
            ),
        ),
        NotYours::Decided => failure(StatusCode::CONFLICT, DECIDED),
    }
}
