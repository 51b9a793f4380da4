//! Revocations, and the proxies that hear of them: `POST /v1/grants/{jti}/revoke`, `POST /v1/revocations`,
//! `GET /v1/proxies` and `POST /v1/proxies/{id}/forget`.

use breakglass_api::proxies::{Forgotten, Proxies};
use breakglass_api::revocation::{Killed, Revoked};

use super::{Body, check_id};

impl Body for Revoked {
    const NAME: &'static str = "a revocation";

    fn check(&self) -> Result<(), String> {
        check_id("grant", &self.grant)?;
        check_epoch(self.epoch, 1)
    }
}

impl Body for Killed {
    const NAME: &'static str = "what the kill switch did";

    fn check(&self) -> Result<(), String> {
        if (self.revoked == 0) != self.grants.is_empty() {
            return Err(format!("revoked: {}, with {} grants", self.revoked, self.grants.len()));
        }
        check_epoch(self.epoch, i64::from(self.revoked > 0))
    }
}

impl Body for Proxies {
    const NAME: &'static str = "a list of proxies";

    fn check(&self) -> Result<(), String> {
        check_epoch(self.epoch, 0)
    }
}

impl Body for Forgotten {
    const NAME: &'static str = "a proxy that is forgotten";

    fn check(&self) -> Result<(), String> {
        if self.forgotten.is_empty() {
            return Err("forgotten: expected at least one".to_owned());
        }
        check_id("id", &self.id)
    }
}

fn check_epoch(epoch: i64, least: i64) -> Result<(), String> {
    if epoch < least {
        return Err(format!("epoch: expected at least {least}, got {epoch}"));
    }
    Ok(())
}
