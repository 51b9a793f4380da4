//! `audit`: what is done about the records besides writing them.

use std::time::Duration;

use crate::json::Json;

use super::revocation::{Endpoint, read_endpoint};
use super::{Fields, Place, positive_duration};

/// How long a stream runs before it leaves a record, unless the configuration says otherwise.
pub(crate) const DEFAULT_START_AFTER: Duration = Duration::from_secs(5);

/// What is done about the records besides writing them.
#[derive(Debug)]
pub struct Audit {
    /// Where the head of each chain is reported.
    pub heads: Option<Endpoint>,
    /// How long a stream runs before it leaves a record of its start.
    pub start_after: Duration,
}

impl Default for Audit {
    fn default() -> Audit {
        Audit { heads: None, start_after: DEFAULT_START_AFTER }
    }
}

pub(super) fn read<'a>(json: &'a Json, place: &Place<'a>) -> Option<Audit> {
    let mut fields = Fields::open(json, place)?;
    let heads = fields.optional("heads", read_heads);
    let start_after = fields.or("start_after", DEFAULT_START_AFTER, positive_duration);
    fields.close()?;
    Some(Audit { heads: heads?, start_after: start_after? })
}

fn read_heads<'a>(json: &'a Json, place: &Place<'a>) -> Option<Endpoint> {
    let mut fields = Fields::open(json, place)?;
    let endpoint = read_endpoint(&mut fields);
    fields.close()?;
    endpoint
}
