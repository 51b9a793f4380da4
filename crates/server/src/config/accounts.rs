//! The accounts of people who have signed in, in memory, for all configurations that the process has one after the other:
//! who is calling, and in which groups, is asked for each request.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use breakglass_audit::folded::Folded;

use super::person::{Credential, Person};
use crate::clock::Moment;

/// What a provider said of a person last.
#[derive(Debug, Clone)]
pub struct AccountEntry {
    /// The person; without groups where they are not known.
    pub person: Arc<Person>,
    /// The name of the provider's entry.
    pub provider: String,
    /// Whether the provider said in which groups the person is.
    pub groups_known: bool,
    /// When it said so, or that it does not know.
    pub groups_at: Moment,
}

/// All accounts by name, and the clock by which their groups age.
pub struct Accounts {
    by_name: RwLock<BTreeMap<String, (Folded, AccountEntry)>>,
    clock: Box<dyn Fn() -> Moment + Send + Sync>,
}

impl Accounts {
    /// None yet; `clock` says the present moment.
    pub fn new(clock: impl Fn() -> Moment + Send + Sync + 'static) -> Accounts {
        Accounts { by_name: RwLock::default(), clock: Box::new(clock) }
    }

    /// Takes what a provider says of a person now.
    pub fn put(&self, entry: AccountEntry) {
        let name = entry.person.name.clone();
        let folded = Folded::new(&name);
        self.by_name.write().unwrap_or_else(PoisonError::into_inner).insert(name, (folded, entry));
    }

    pub(super) fn get(&self, name: &str) -> Option<AccountEntry> {
        self.read(|accounts| accounts.get(name).map(|(_, entry)| entry.clone()))
    }

    /// Those that `wanted` takes.
    pub(super) fn filter(&self, wanted: impl Fn(&AccountEntry) -> bool) -> Vec<AccountEntry> {
        self.read(|accounts| {
            let entries = accounts.values().map(|(_, entry)| entry);
            entries.filter(|entry| wanted(entry)).cloned().collect()
        })
    }

    /// Whether one has this name in any spelling.
    pub(super) fn has_like(&self, name: &Folded) -> bool {
        self.read(|accounts| accounts.values().any(|(folded, _)| folded.same(name)))
    }

    pub(super) fn now(&self) -> Moment {
        (self.clock)()
    }

    fn read<T>(&self, read: impl FnOnce(&BTreeMap<String, (Folded, AccountEntry)>) -> T) -> T {
        // Each change is one insertion.
        read(&self.by_name.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.read(BTreeMap::len);
        formatter.debug_struct("Accounts").field("count", &count).finish_non_exhaustive()
    }
}

impl AccountEntry {
    /// The issuer of the account.
    pub(super) fn issuer(&self) -> &str {
        match &self.person.credential {
            Credential::Account { issuer, .. } => issuer,
            Credential::ApiToken(_) => "",
        }
    }
}
