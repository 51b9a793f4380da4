//! `POST /v1/requests/{id}/cancel`: the requester takes a pending request back.

use axum::Json;
use axum::extract::State;
use breakglass_api::evidence::Action;
use breakglass_api::request::Request as View;

use super::body::Id;
use super::view::view_in_full;
use crate::app::App;
use crate::auth::identity::AsPerson;
use crate::problem::{Problem, Reason};
use crate::store::{self, StoreError};

pub(super) async fn handler(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    Id(id): Id,
) -> Result<Json<View>, Problem> {
    let now = app.now();
    let request = super::lookup::request(&app, now, &id).await?;
    if request.requester != person.name {
        return Err(Problem::new(
            Reason::NotTheRequester,
            "only the requester may take a request back; an approver may deny it",
        ));
    }
    if request.state == store::State::Approved {
        return Err(Problem::new(
            Reason::NotPending,
            "this request is approved: `breakglass revoke` ends its grant",
        ));
    }
    if request.state != store::State::Pending {
        return Err(super::lookup::not_pending(&request));
    }
    match app.store().cancel(now, &id, &person.name).await {
        Ok(()) => {}
        // Somebody else was first.
        Err(StoreError::RowsAffected(_)) => {
            return Err(super::lookup::not_pending(&super::lookup::request(&app, now, &id).await?));
        }
        Err(error) => return Err(error.into()),
    }
    app.changed(Action::Cancel, &id);
    tracing::info!(request = id, requester = person.name, "cancelled");
    let request = super::lookup::request(&app, now, &id).await?;
    Ok(Json(view_in_full(&app, request).await?))
}
