//! `audit`: what is done about the records besides writing them.

use std::time::Duration;

use crate::schema::{Object, duration, optional, or};
use crate::{object, schema};

use super::Endpoint;

object! {
    /// What is done about the audit records besides writing them.
    #[derive(Debug)]
    pub struct Audit {
        /// Where the head of each chain of records is reported, with the `credential` of `revocation`: at
        /// most every four seconds while the chain grows, and every minute while it does not; see
        /// [audit.md](audit.md).
        pub heads: Option<Endpoint> = optional("not reported", schema::object()),
        /// How long a stream runs before it leaves a record of its start.
        pub start_after: Duration = or("5s", duration()),
    }
}

impl Object for Audit {}
