//! The system that keeps incidents: whether the credential for it can be read. It is not asked anything.

use super::report::{Finding, Report};
use crate::config::Config;
use crate::json_call::authorization;

pub(super) fn look(config: &Config, report: &mut Report) {
    let Some(check) = &config.incident_check else { return };
    report.checked(authorization(&check.authorization_file).err().map(|cause| {
        Finding::new(
            format!("incident_check: {cause}"),
            "put what is expected into this file, readable for the service's user; it is read at each call",
        )
    }));
}
