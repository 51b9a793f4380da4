//! Requests and grants by their ids.

use super::Refused;
use crate::app::App;
use crate::clock::Moment;
use crate::store::Request;

/// The request with this id.
///
/// # Errors
/// [`Refused::RequestUnknown`].
pub async fn request(app: &App, now: Moment, id: &str) -> Result<Request, Refused> {
    app.store().request(now, id).await?.ok_or(Refused::RequestUnknown)
}

/// The request whose grant has this id.
///
/// # Errors
/// [`Refused::GrantUnknown`].
pub async fn grant(app: &App, now: Moment, jti: &str) -> Result<Request, Refused> {
    app.store().grant(now, jti).await?.ok_or(Refused::GrantUnknown)
}
