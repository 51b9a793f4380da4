//! Groups of people on call beside the lists that name them.

use breakglass_config_schema::Place;

use super::Config;
use super::on_call::ON_CALL;

/// The people on call approve; what people may do for longer than a shift does not follow from it. A schedule can stand in the
/// URL.
pub(super) fn check(config: &Config, place: &Place<'_>) -> Option<()> {
    let Some(source) = &config.on_call else { return Some(()) };
    let mut clean = Some(());
    for schedule in config.schedules() {
        if schedule.is_empty() || source.url.of(schedule).is_err() {
            clean = place.field("on_call").error(format!(
                "expected the name of a schedule after `{ON_CALL}` that can stand in `url`, got `{schedule}`"
            ));
        }
    }
    let lists = [
        ("auditors", config.auditors.iter().collect()),
        ("administrators", config.administrators.iter().collect()),
        ("responders", config.responders.groups().collect::<Vec<_>>()),
    ];
    let mut refuse = |place: &Place<'_>, groups: &[&String]| {
        for group in groups.iter().filter(|group| group.starts_with(ON_CALL)) {
            clean = place.error(format!(
                "expected a group in which people stay, got `{group}`: people on call approve, in `approvers`, `need` and `escalate`"
            ));
        }
    };
    for (name, groups) in &lists {
        refuse(&place.field(name), groups);
    }
    for (index, scope) in config.scopes.iter().enumerate() {
        let groups: Vec<&String> = scope.requesters.iter().collect();
        refuse(&place.field("scopes").item(index).field("requesters"), &groups);
    }
    for (index, rule) in config.approval_rules.iter().enumerate() {
        let groups = rule.when.iter().flat_map(|when| &when.requester_in);
        let place = place.field("approval_rules").item(index).field("when");
        refuse(&place.field("requester_in"), &groups.collect::<Vec<_>>());
    }
    clean
}

/// What is valid and reads like a schedule, and is none.
pub(super) fn warnings(config: &Config) -> Vec<String> {
    let is_named = super::group_check::named(config).any(|group| group.starts_with(ON_CALL));
    match &config.on_call {
        None if is_named => vec![format!(
            "groups that begin with `{ON_CALL}` are groups like others, because there is no `[on_call]`: no schedule is asked for"
        )],
        Some(_) if config.schedules().is_empty() => vec![format!(
            "on_call: no `approvers`, `need` or `escalate` names a schedule, as `{ON_CALL}SCHEDULE`: it is not asked for any"
        )],
        _ => Vec::new(),
    }
}
