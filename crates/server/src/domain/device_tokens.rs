//! A device asks for the tokens of its session, again and again, until a person has signed in for it (RFC 8628 section 3.4).

use super::{directory, sessions};
use crate::app::App;
use crate::clock::Moment;
use crate::domain::sessions::{TokenRefused, Tokens};
use crate::session_token::sha256;
use crate::signin::devices::Poll;

/// Gives a device the first tokens of its session, once a person has signed in for it. Whether the person may sign in so is
/// judged again, by groups that count now. A second request ends nothing, because devices repeat what got no answer.
///
/// # Errors
/// [`TokenRefused`].
pub async fn begin_by_device(
    app: &App,
    now: Moment,
    device_code: &str,
    client: &str,
    source: Option<&str>,
) -> Result<Tokens, TokenRefused> {
    let digest = sha256(device_code);
    let devices = &app.sign_ins().devices;
    match devices.poll(now, &digest) {
        Poll::SignedIn => {}
        Poll::Pending => return Err(TokenRefused::DevicePending),
        Poll::SlowDown => return Err(TokenRefused::DeviceSlowDown),
        Poll::Expired => return Err(TokenRefused::DeviceExpired),
        Poll::Taken => return Err(TokenRefused::DeviceTaken),
        Poll::Refused(why) => return Err(TokenRefused::DeviceRefused { why, account: None }),
    }
    let code = app.store().code(&digest).await?.ok_or(TokenRefused::DeviceExpired)?;
    // No lock is held meanwhile.
    directory::refresh(app, &code.account).await;
    let begun = sessions::begin_by_device(app, app.now(), &digest, client, source).await;
    match &begun {
        Ok(_) => devices.decide(&digest, None),
        Err(TokenRefused::DeviceRefused { why, .. }) => devices.decide(&digest, Some(why)),
        Err(_) => {}
    }
    begun
}
