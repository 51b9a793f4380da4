//! `alerts`: where what a person should hear of now is reported.

use std::time::Duration;

use crate::object;
use crate::schema::{Object, duration, flat, or};

use super::Endpoint;

object! {
    /// Where what a person should hear of now is reported, with the `credential` of `revocation`: the first use of a grant,
    /// what a holder may not do, what strangers try, what was cut, and what is wrong with the filter or the feed. Without it
    /// there are no alerts. See [audit.md](audit.md#alerts).
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct AlertReports {
        /// Where it is.
        pub endpoint: Endpoint = flat(),
        /// How long a report may take. No request waits for one.
        pub timeout: Duration =
            or("2s", duration().at_most(Duration::from_secs(60), "the alerts after it wait for it")),
    }
}

impl Object for AlertReports {}
