//! The service, and the proxies that report to it.

use breakglass_tests::policy::AUDIENCE;
use breakglass_tests::service::{Service, token_sha256};

/// The most pages an hour that the service can be told to make of the alerts of one credential and class, and the most
/// alerts of one kind that it keeps.
pub(super) const PAGES: usize = 100;

/// The credential of a proxy.
pub(super) fn credential(proxy: usize) -> String {
    format!("measured-proxy-{proxy}")
}

/// A service that knows so many proxies more, and makes as many pages as it can.
pub(super) fn service(proxies: usize) -> Service {
    let mut service = Service::start();
    let entry = |proxy| {
        let sha256 = token_sha256(&credential(proxy));
        format!(
            "[[proxies]]\nname = \"measured-{proxy}\"\ntoken_sha256 = \"{sha256}\"\naudiences = [\"{AUDIENCE}\"]\n"
        )
    };
    service.reconfigure("auditors = ", &format!("max_alert_pages = {PAGES}\nauditors = "));
    service.add(&(0..proxies).map(entry).collect::<String>());
    service
}
