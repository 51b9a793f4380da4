//! The system that says who is on call: whether the credential for it can be read. It is not asked anything.

use super::report::{Finding, Report};
use crate::config::Config;
use crate::json_call::authorization;

pub(super) fn look(config: &Config, report: &mut Report) {
    let Some(source) = &config.on_call else { return };
    report.checked(authorization(&source.authorization_file).err().map(|cause| {
        Finding::new(
            format!("on_call: {cause}"),
            "put what is expected into this file, readable for the service's user; it is read at each call",
        )
    }));
}
