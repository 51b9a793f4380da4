//! The device grant (RFC 8628): a person signs in for a device without a browser, in a browser elsewhere.
//!
//! ```text
//! device  -> POST /oauth2/device_authorization       -> device code, and user code to be shown
//! browser -> GET  /device                            -> a page; the person types the user code, by hand
//! browser -> POST /device                            -> where it was started, and what it gives: go on, or no
//! browser -> POST /device                            -> on to the provider, with a sealed cookie, as from /oauth2/authorize
//! browser -> GET  /signin/{provider}/callback        -> the person may; a page says that it is done
//! device  -> POST /oauth2/token, again and again     -> the tokens of a session
//! ```

pub(in crate::routes) mod authorization;
pub(super) mod finish;
mod form;
pub(in crate::routes) mod page;

use std::sync::Arc;

use breakglass_identity::Provider;

use crate::signin::Providers;
use crate::signin::devices::Device;

/// The grant's name (RFC 8628 section 3.4).
pub(super) const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Where the code is typed, after the issuer.
const PAGE: &str = "/device";

/// The providers at which a person can sign in for this device.
fn fitting(providers: &Providers, device: &Device) -> Vec<Arc<Provider>> {
    let of_account = device.account.as_ref().and_then(|account| account.split_once(':'));
    let fits = |provider: &&Arc<Provider>| {
        let entry = provider.entry();
        let is = |name: &str| name == entry.name;
        device.provider.as_deref().is_none_or(is)
            && of_account.is_none_or(|(name, _)| is(name))
            && device.level.as_ref().is_none_or(|level| entry.levels.contains_key(level))
    };
    providers.names().filter_map(|name| providers.get(name)).filter(fits).cloned().collect()
}
