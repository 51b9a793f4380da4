//! What a grant was used for.

use breakglass_api::uses::GrantUses;

use crate::app::App;
use crate::store::StoreError;

/// What the grant with this id was used for, as proxies have reported it until now; none where that is not known.
///
/// # Errors
/// [`StoreError`] if a database cannot tell.
pub async fn uses_of(_app: &App, _grant: &str) -> Result<Option<GrantUses>, StoreError> {
    Ok(None)
}
