//! A database of the service, with the key that signs its trail in `keys` beside it.

use std::path::Path;

use breakglass_server::clock::{Clock as _, SystemClock};
use breakglass_server::issuer::TrailKeys;
use breakglass_server::random::Randomness;
use breakglass_server::store::{Store, StoreError};

/// Opens it, or makes it.
pub async fn open(path: &Path) -> Result<Store, StoreError> {
    Store::open(path, trail_keys(path)).await
}

/// The keys of the trail of this database, which is chained from now on.
pub fn trail_keys(path: &Path) -> TrailKeys {
    let keys = path.parent().unwrap().join("keys");
    let now = SystemClock.now().unwrap();
    TrailKeys::open(&keys, path, &Randomness::from_system().unwrap(), now).unwrap()
}
