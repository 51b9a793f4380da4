//! The review of a grant, as its request shows it.

use breakglass_api::reviews::ReviewOfRequest;

use crate::app::App;
use crate::store::{Request, StoreError};

/// The review of the grant of a request, in short.
pub(super) async fn of_request(
    app: &App,
    request: &Request,
) -> Result<Option<ReviewOfRequest>, StoreError> {
    if request.activated_at.is_none() {
        return Ok(None);
    }
    let review = app.store().review_of(&request.id).await?;
    Ok(review.map(|one| ReviewOfRequest { state: one.state().into(), id: one.id }))
}
