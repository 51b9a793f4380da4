//! What grants were used for.

use breakglass_api::uses::{ScopeUses, Use, UsesOfGrant};

use super::Body;

impl Body for UsesOfGrant {
    const NAME: &'static str = "what a grant was used for";

    fn check(&self) -> Result<(), String> {
        check(&self.uses, self.other_records)
    }
}

impl Body for ScopeUses {
    const NAME: &'static str = "what the grants of a scope were used for";

    fn check(&self) -> Result<(), String> {
        check(&self.uses, self.other_records)
    }
}

fn check(uses: &[Use], other_records: i64) -> Result<(), String> {
    if other_records < 0 {
        return Err(format!("other_records: expected a number from 0, got {other_records}"));
    }
    match uses.iter().find(|used| used.records < 1) {
        Some(used) => Err(format!("uses: records: expected a number from 1, got {}", used.records)),
        None => Ok(()),
    }
}
