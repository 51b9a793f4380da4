//! The browser is back from the provider, and a device waits.

use axum::http::StatusCode;
use axum::response::Response;

use super::super::client::CLIENT_ID;
use super::super::not_let_in::{not_let_in, noted};
use super::super::provider::Wrong;
use super::page::gone;
use crate::app::App;
use crate::domain::sessions::{self, DeviceBinding, SignInRefused};
use crate::routes::page::{failure, titled};
use crate::signin::DeviceWaits;
use crate::signin::devices::NotYours;

/// The page that says what came of it; the device hears it at its next poll.
pub(in crate::routes::oauth) async fn page(
    app: &App,
    waits: &DeviceWaits,
    finished: Result<sessions::SignedIn, Wrong>,
) -> Response {
    let DeviceWaits { code, browser } = waits;
    let now = app.now();
    let device = match app.sign_ins().devices.confirmed(now, code, browser) {
        Ok(device) => device,
        Err(why) => return gone(app, why),
    };
    let who = match finished {
        Ok(who) => who,
        Err((error, description)) => return not_signed_in(app, waits, error, &description),
    };
    let source = device.source.map(|source| source.to_string());
    let binding = DeviceBinding { client: CLIENT_ID, code: *code, ends_at: device.ends_at, source };
    match sessions::sign_in_for_device(app, now, &who, &binding).await {
        Ok(()) => match app.sign_ins().devices.signed_in(now, code, browser) {
            Ok(()) => titled(
                StatusCode::OK,
                "Signed in",
                &format!(
                    "The device at the address {} is signed in as {}. You can close this page. `breakglass sessions` lists \
                     your sessions, and ends them.",
                    binding.source.as_deref().unwrap_or("that is not known"),
                    who.name()
                ),
            ),
            Err(why) => gone(app, why),
        },
        Err(SignInRefused::DeviceDone) => gone(app, NotYours::Decided),
        Err(why) => {
            let (error, description) = not_let_in(&who, why);
            noted(&who, error, not_signed_in(app, waits, error, &description))
        }
    }
}

/// The device gets no tokens where a person or a policy declined; where only something failed, the person can try again in the
/// same browser.
fn not_signed_in(app: &App, waits: &DeviceWaits, error: &str, description: &str) -> Response {
    if matches!(error, "temporarily_unavailable" | "server_error") {
        return failure(
            StatusCode::SERVICE_UNAVAILABLE,
            &format!(
                "{description}. Open the page of the code again, in this browser, and type the code once more."
            ),
        );
    }
    // It may be over by now: then the device hears that.
    let _ = app.sign_ins().devices.refuse(app.now(), &waits.code, &waits.browser, description);
    failure(StatusCode::FORBIDDEN, &format!("{description}. The device gets no access."))
}
