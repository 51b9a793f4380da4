//! What the trail says of the groups that a provider said: as they are called here, and those that do not count.

use serde_json::{Value, json};

use crate::config::Config;
use crate::store::Account;

/// The groups of the account as they are called here; nothing where they are not known.
pub(super) fn here(config: &Config, account: &Account) -> Option<Vec<String>> {
    let (names, said) = config.group_names(&account.provider).zip(account.groups.as_ref())?;
    Some(names.here(said))
}

/// Adds them to the detail of an answer, with those that the provider said and that are not its own to say.
pub(super) fn note(config: &Config, account: &Account, detail: &mut Value) {
    let Some(detail) = detail.as_object_mut() else { return };
    detail.insert("groups".to_owned(), json!(here(config, account)));
    let known = config.group_names(&account.provider).zip(account.groups.as_ref());
    let Some((names, said)) = known else { return };
    let not_counted = names.not_counted(said);
    if !not_counted.is_empty() {
        tracing::warn!(
            account = account.name,
            provider = account.provider,
            groups = ?not_counted,
            "groups do not count: their names are too long, or those of another identity provider's groups"
        );
        detail.insert("groups_not_counted".to_owned(), json!(not_counted));
    }
}
