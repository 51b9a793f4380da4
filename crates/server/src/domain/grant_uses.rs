//! What a grant was used for, as a reviewer is shown it.

use breakglass_api::uses::GrantUses;

use crate::app::App;

/// What the proxies counted of a grant until now; nothing where no proxy has reported of it, and where the evidence database cannot
/// tell. Both leave it unknown, and neither says that the grant was not used: a review can be signed all the same.
pub async fn uses_of(app: &App, grant: &str) -> Option<GrantUses> {
    match app.evidence().uses_of(grant).await {
        Ok(uses) => Some(uses).filter(|uses| !uses.uses.is_empty() || uses.other_records > 0),
        Err(cause) => {
            tracing::warn!(grant, %cause, "what a grant was used for is not shown with its review");
            None
        }
    }
}
