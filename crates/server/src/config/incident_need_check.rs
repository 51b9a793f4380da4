//! Whether what scopes need of incidents can be had.

use breakglass_config_schema::Place;

use super::{Config, IncidentNeed};

/// Scopes whose incidents are checked, and no system that could say.
pub(super) fn check(config: &Config, place: &Place<'_>) -> Option<()> {
    let mut clean = Some(());
    for (index, scope) in config.scopes.iter().enumerate() {
        if scope.incident == IncidentNeed::Checked && config.incident_check.is_none() {
            clean = place.field("scopes").item(index).field("incident").error(
                "`checked` needs `[incident_check]`, which says where an incident is asked for",
            );
        }
    }
    clean
}

/// A system that no scope asks.
pub(super) fn warnings(config: &Config) -> impl Iterator<Item = String> {
    let is_used = config.scopes.iter().any(|scope| scope.incident == IncidentNeed::Checked);
    let is_idle = config.incident_check.is_some() && !is_used;
    is_idle
        .then(|| {
            "incident_check: no scope has `incident = \"checked\"`, so that no incident is asked for".to_owned()
        })
        .into_iter()
}
