//! What a grant was used for, as a reviewer is shown it.

use breakglass_api::uses::GrantUses;

use crate::app::App;

/// What the proxies counted of a grant until now; nothing where the evidence database cannot tell: a review can be signed all the
/// same, and says that it is not known.
pub async fn uses_of(app: &App, grant: &str) -> Option<GrantUses> {
    match app.evidence().uses_of(grant).await {
        Ok(uses) => Some(uses),
        Err(cause) => {
            tracing::warn!(grant, %cause, "what a grant was used for is not shown with its review");
            None
        }
    }
}
