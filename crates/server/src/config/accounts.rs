//! The accounts of people who have signed in, in memory, for all configurations that the process has one after the other:
//! who is calling, and in which groups, is asked for each request.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use breakglass_audit::folded::Folded;

use super::person::{Credential, Person};
use crate::clock::Moment;
use crate::provider_groups::GroupsAtProvider;

/// What a provider said of a person last.
#[derive(Debug, Clone)]
pub struct AccountEntry {
    /// The person, without groups: which count is for the configuration to say.
    pub person: Arc<Person>,
    /// The name of the provider's entry.
    pub provider: String,
    /// The mail address that the provider says. It changes, and is good for refusing alone.
    pub mail: Option<Arc<Folded>>,
    /// The same as it is written, where the provider says that it has verified it: good for writing to the person.
    pub address: Option<Arc<str>>,
    /// The groups, as the provider says them; nothing where it did not say.
    pub groups: Option<Arc<GroupsAtProvider>>,
    /// When it said so, or that it does not know.
    pub groups_at: Moment,
    /// What came of asking the provider again since then, where no groups came of it.
    pub attempt: Option<Attempt>,
}

/// A question to a provider that brought no groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// When it ended.
    pub at: Moment,
    /// Why it brought none.
    pub why: NotSaid,
}

/// Why a provider did not say in which groups a person is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotSaid {
    /// It was not asked: there is no live session here, or none with a refresh token of the provider.
    NotAsked,
    /// It did not answer, or answered that it has a fault of its own: the last answer counts for a while.
    NoAnswer(String),
    /// It said that its sessions of the person are over.
    SessionEnded,
    /// It answered, and not in which groups.
    NoGroups(String),
    /// It refused, or its answer cannot be right.
    Refused(String),
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

    /// Takes what came of asking the provider about this person, where no groups came of it.
    pub fn attempted(&self, name: &str, attempt: Attempt) {
        let mut accounts = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, entry)) = accounts.get_mut(name) {
            entry.attempt = Some(attempt);
        }
    }

    /// What is known of this account.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<AccountEntry> {
        self.read(|accounts| accounts.get(name).map(|(_, entry)| entry.clone()))
    }

    /// How many `wanted` takes.
    pub(super) fn count(&self, wanted: impl Fn(&AccountEntry) -> bool) -> usize {
        self.read(|accounts| accounts.values().filter(|(_, entry)| wanted(entry)).count())
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
