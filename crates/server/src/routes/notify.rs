//! `PUT /v1/whoami/notify`: the caller says how they want to be told of what concerns them.

use axum::Json;
use axum::extract::State;
use breakglass_api::whoami::{Notify, SetNotify};

use super::body::JsonBody;
use crate::app::App;
use crate::auth::identity::AsPerson;
use crate::problem::Problem;
use crate::store::StoreError;

pub(super) async fn handler(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    JsonBody(body): JsonBody<SetNotify>,
) -> Result<Json<Notify>, Problem> {
    app.store().set_wants_mail(&person.name, body.mail).await?;
    Ok(Json(view(&app, &person.name).await?))
}

/// How this person is told.
pub(super) async fn view(app: &App, name: &str) -> Result<Notify, StoreError> {
    let declined = app.store().want_no_mail(&[name]).await?;
    let address = app.config().people.address(name).map(|address| address.to_string());
    Ok(Notify { mail: !declined.contains(name), address })
}
