//! The people that a configuration knows, found by name and by group: those that it lists, and those who have signed in at
//! one of its identity providers.

use std::collections::{BTreeMap, HashSet};
use std::ops::Deref;
use std::sync::Arc;

use breakglass_audit::folded::Folded;

use super::accounts::{AccountEntry, Accounts, Attempt, NotSaid};
use super::on_call::OnCallSource;
use super::person::Person;
use super::shifts::{OnCall, Shifts};
use crate::clock::Moment;
use crate::limits::DIRECTORY_RETRY_S;
use crate::provider_groups::GroupNames;

/// The people that are listed, in the order of the file, with indexes: a group of a thousand people is found as fast as one
/// of ten, and a name without a look at all the others. [`People::sign_in`] adds those who have signed in.
#[derive(Debug, Default)]
pub struct People {
    entries: Vec<Arc<Person>>,
    by_name: BTreeMap<String, Arc<Person>>,
    by_group: BTreeMap<String, Vec<String>>,
    signed_in: Option<SignedIn>,
    on_call: Option<OnCall>,
}

/// People who have signed in, as far as this configuration knows their providers.
#[derive(Debug)]
struct SignedIn {
    accounts: Arc<Accounts>,
    /// By name.
    providers: BTreeMap<String, ProviderTrust>,
    ages: DirectoryAges,
}

/// How old answers of providers may be that count, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirectoryAges {
    /// While the provider answers.
    pub max_s: i64,
    /// While it does not.
    pub outage_s: i64,
}

/// By what it is known in which groups a person is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupsSource {
    /// The configuration lists the person.
    Configuration,
    /// An answer of the provider that is young enough.
    Provider,
    /// The provider does not answer, and its last answer counts.
    LastAnswer(LastAnswer),
    /// It is not known.
    Unknown {
        /// The provider.
        provider: String,
        /// Why.
        why: NotSaid,
    },
}

/// An answer that counts because the provider does not give another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastAnswer {
    /// The provider.
    pub provider: String,
    /// When it gave the answer.
    pub said_at: Moment,
    /// Why it gives no other one now.
    pub cause: String,
}

/// What a configuration says of a provider's people.
#[derive(Debug, Clone)]
pub struct ProviderTrust {
    /// The issuer.
    pub issuer: String,
    /// Whether they may approve.
    pub may_approve: bool,
    /// What their groups are called here.
    pub groups: GroupNames,
}

/// Whether somebody is in a group, as far as it is known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InGroup {
    /// The person is.
    Yes,
    /// The person is not, or there is no such person.
    No,
    /// The provider did not say, or too long ago.
    Unknown,
}

impl People {
    /// These people. Of two with one name, which the check of a configuration refuses, the first is found.
    #[must_use]
    pub fn new(entries: Vec<Arc<Person>>) -> People {
        let mut by_name = BTreeMap::new();
        let mut by_group: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for person in &entries {
            by_name.entry(person.name.clone()).or_insert_with(|| Arc::clone(person));
            for group in &person.groups {
                by_group.entry(group.clone()).or_default().push(person.name.clone());
            }
        }
        People { entries, by_name, by_group, signed_in: None, on_call: None }
    }

    /// Adds the people who have signed in at these providers. Without a provider there are none.
    pub fn sign_in(
        &mut self,
        accounts: Arc<Accounts>,
        providers: BTreeMap<String, ProviderTrust>,
        ages: DirectoryAges,
    ) {
        self.signed_in = (!providers.is_empty()).then_some(SignedIn { accounts, providers, ages });
    }

    /// Lets the groups of people on call be those that `source` says.
    pub fn be_on_call(&mut self, source: OnCallSource, shifts: Arc<Shifts>) {
        self.on_call = Some(OnCall { source, shifts });
    }

    /// Whether `group` is the people of a schedule: a person is in it for a shift.
    #[must_use]
    pub fn is_on_call_group(&self, group: &str) -> bool {
        self.on_call.as_ref().is_some_and(|on_call| on_call.people(group).is_some())
    }

    /// The person called `name`, byte for byte.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Arc<Person>> {
        let listed = self.by_name.get(name).cloned();
        listed.or_else(|| self.signed_in.as_ref()?.person(name))
    }

    /// The person whose account is called `name`. A person who is listed under the name comes first: then there is none.
    #[must_use]
    pub fn account(&self, name: &str) -> Option<Arc<Person>> {
        match self.by_name.contains_key(name) {
            true => None,
            false => self.signed_in.as_ref()?.person(name),
        }
    }

    /// Whether a person has this name in any spelling.
    #[must_use]
    pub fn has_like(&self, name: &Folded) -> bool {
        self.entries.iter().any(|person| name.is(&person.name))
            || self.signed_in.as_ref().is_some_and(|signed_in| signed_in.accounts.has_like(name))
    }

    /// The names of the members of `group`, in the order of the file, and after them those who have signed in; whether these
    /// are all there are.
    #[must_use]
    pub fn members(&self, group: &str) -> (Vec<String>, bool) {
        if let Some(people) = self.on_call(group) {
            return self.called_so(&people);
        }
        let mut names = self.in_group(group).to_vec();
        if let Some(signed_in) = &self.signed_in {
            let now = signed_in.accounts.now();
            let members = signed_in.accounts.filter(|entry| {
                signed_in.knows(entry) && signed_in.in_group(entry, group, now) == InGroup::Yes
            });
            names.extend(members.into_iter().map(|entry| entry.person.name.clone()));
        }
        (names, self.signed_in.is_none())
    }

    /// The names of the listed members of `group`, in the order of the file.
    #[must_use]
    pub fn in_group(&self, group: &str) -> &[String] {
        self.by_group.get(group).map_or(&[], Vec::as_slice)
    }

    /// Whether the person called `name` is in `group`.
    #[must_use]
    pub fn is_member(&self, name: &str, group: &str) -> InGroup {
        if let Some(people) = self.on_call(group) {
            return if self.is_called_so(name, &people) { InGroup::Yes } else { InGroup::No };
        }
        if let Some(person) = self.by_name.get(name) {
            let is_member = person.groups.iter().any(|one| one == group);
            return if is_member { InGroup::Yes } else { InGroup::No };
        }
        let Some(signed_in) = &self.signed_in else { return InGroup::No };
        signed_in.get(name).map_or(InGroup::No, |entry| {
            signed_in.in_group(&entry, group, signed_in.accounts.now())
        })
    }

    /// Whether the person called `name` was in `group` by the last complete answer, however old. Where the provider said since
    /// that it does not know, nothing is left of the answer before.
    #[must_use]
    pub fn was_member(&self, name: &str, group: &str) -> InGroup {
        if self.by_name.contains_key(name) || self.is_on_call_group(group) {
            return self.is_member(name, group);
        }
        let Some(signed_in) = &self.signed_in else { return InGroup::No };
        match signed_in.get(name) {
            None => InGroup::No,
            Some(entry) if entry.groups.is_none() => InGroup::Unknown,
            Some(entry) if signed_in.said(&entry, group) => InGroup::Yes,
            Some(_) => InGroup::No,
        }
    }

    /// Whether the last complete answer about the person called `name` is at most `max_age_s` old, and the provider could not be
    /// asked since, for want of a session by which it can be: so it is with the answer of a sign-in that is to make the first.
    #[must_use]
    pub fn was_answered_at_sign_in(&self, name: &str, max_age_s: i64) -> bool {
        let Some(signed_in) = self.signed_in.as_ref().filter(|_| !self.by_name.contains_key(name))
        else {
            return false;
        };
        signed_in.get(name).is_some_and(|entry| {
            let was_asked = entry.attempt.is_some_and(|attempt| attempt.why != NotSaid::NotAsked);
            let age_s = age(signed_in.accounts.now(), entry.groups_at);
            entry.groups.is_some() && !was_asked && (0..=max_age_s).contains(&age_s)
        })
    }

    /// How many people who have signed in are in `group` by the last answer about them, however old.
    #[must_use]
    pub fn count_in_group(&self, group: &str) -> usize {
        let Some(signed_in) = &self.signed_in else { return 0 };
        signed_in.accounts.count(|entry| signed_in.knows(entry) && signed_in.said(entry, group))
    }

    /// By what it is known in which groups the person called `name` is; nothing where there is no such person.
    #[must_use]
    pub fn groups_source(&self, name: &str) -> Option<GroupsSource> {
        if self.by_name.contains_key(name) {
            return Some(GroupsSource::Configuration);
        }
        let signed_in = self.signed_in.as_ref()?;
        Some(signed_in.source(&signed_in.get(name)?, signed_in.accounts.now()))
    }

    /// Whether the provider of the person called `name` is to be asked for the groups: what it said is too old or was nothing,
    /// and it was not asked just now.
    #[must_use]
    pub fn is_to_be_asked_for(&self, name: &str) -> bool {
        if self.by_name.contains_key(name) {
            return false;
        }
        let Some(signed_in) = &self.signed_in else { return false };
        let Some(entry) = signed_in.get(name) else { return false };
        let now = signed_in.accounts.now();
        let tried = entry.attempt.as_ref().map(|attempt| age(now, attempt.at));
        signed_in.source(&entry, now) != GroupsSource::Provider
            && tried.is_none_or(|age| age >= DIRECTORY_RETRY_S)
    }

    /// Whether these are accounts at two providers with one mail address, in any spelling: then they may be one human.
    #[must_use]
    pub fn share_mail(&self, one: &str, other: &str) -> bool {
        let Some(signed_in) = &self.signed_in else { return false };
        let account = |name| match self.by_name.contains_key(name) {
            true => None,
            false => signed_in.get(name),
        };
        let Some((one, other)) = account(one).zip(account(other)) else { return false };
        let same = |(one, other): (Arc<Folded>, Arc<Folded>)| one.same(&other);
        one.provider != other.provider && one.mail.zip(other.mail).is_some_and(same)
    }

    /// Where the person called `name` gets mail: the address of the entry; of an account the one that the provider says it
    /// has verified. Nothing where there is none, or it cannot be one.
    #[must_use]
    pub fn address(&self, name: &str) -> Option<lettre::Address> {
        if let Some(listed) = self.by_name.get(name) {
            return listed.mail.as_ref()?.parse().ok();
        }
        self.signed_in.as_ref()?.get(name)?.address?.parse().ok()
    }

    /// Whether the person called `name` may be an approver. Where people sign in (`by_sign_in`), those who are listed may by
    /// their API token if their entry says so, and those who have signed in if their provider has `may_approve`.
    #[must_use]
    pub fn may_approve(&self, name: &str, by_sign_in: bool) -> bool {
        if let Some(listed) = self.by_name.get(name) {
            return !by_sign_in || listed.may_approve_by_token;
        }
        let Some(signed_in) = &self.signed_in else { return false };
        let provider = |entry: AccountEntry| signed_in.providers.get(&entry.provider);
        signed_in.get(name).and_then(provider).is_some_and(|provider| provider.may_approve)
    }
}

impl People {
    /// Those on call by the schedule that `group` is, as its system calls them; nothing where it is another group.
    fn on_call(&self, group: &str) -> Option<Vec<String>> {
        self.on_call.as_ref()?.people(group)
    }

    /// Whether the person has one of these names, or one of these mail addresses.
    fn is_called_so(&self, name: &str, people: &[String]) -> bool {
        let is_known = self.get(name).is_some();
        let address = || self.address(name).map(|address| address.to_string());
        is_known
            && (people.iter().any(|one| one == name)
                || address().is_some_and(|address| people.contains(&address)))
    }

    /// The people who are called so, and whether there are no others: each is known, or people do not sign in.
    fn called_so(&self, people: &[String]) -> (Vec<String>, bool) {
        let listed = self.entries.iter().map(|person| person.name.clone());
        let accounts = self.signed_in.iter().flat_map(|signed_in| {
            let known = signed_in.accounts.filter(|entry| signed_in.knows(entry));
            known.into_iter().map(|entry| entry.person.name.clone())
        });
        let mut names: Vec<String> =
            listed.chain(accounts).filter(|name| self.is_called_so(name, people)).collect();
        let mut seen = HashSet::new();
        names.retain(|name| seen.insert(name.clone()));
        let is_complete = self.signed_in.is_none() || people.len() <= names.len();
        (names, is_complete)
    }
}

/// How long ago it was, in seconds.
fn age(now: Moment, then: Moment) -> i64 {
    now.seconds().saturating_sub(then.seconds())
}

impl SignedIn {
    fn get(&self, name: &str) -> Option<AccountEntry> {
        self.accounts.get(name).filter(|entry| self.knows(entry))
    }

    /// Whether the account is of a provider of this configuration, by name and issuer.
    fn knows(&self, entry: &AccountEntry) -> bool {
        let provider = self.providers.get(&entry.provider);
        provider.is_some_and(|provider| provider.issuer == entry.issuer())
    }

    fn in_group(&self, entry: &AccountEntry, group: &str, now: Moment) -> InGroup {
        match self.source(entry, now) {
            GroupsSource::Unknown { .. } => InGroup::Unknown,
            _ if self.said(entry, group) => InGroup::Yes,
            _ => InGroup::No,
        }
    }

    /// The person called `name`, with the groups that the provider named last, as they are called here.
    fn person(&self, name: &str) -> Option<Arc<Person>> {
        let entry = self.get(name)?;
        let trust = self.providers.get(&entry.provider)?;
        let groups = entry.groups.map(|said| trust.groups.here(&said)).unwrap_or_default();
        Some(Arc::new(Person { groups, ..Person::clone(&entry.person) }))
    }

    /// Whether the last answer, however old, has what is called `group` here.
    fn said(&self, entry: &AccountEntry, group: &str) -> bool {
        let trust = self.providers.get(&entry.provider);
        trust.zip(entry.groups.as_ref()).is_some_and(|(trust, said)| trust.groups.has(said, group))
    }

    /// An answer from the future counts no longer than one of now. That the provider was away counts for as long as an answer
    /// would: then it has to be asked again.
    fn source(&self, entry: &AccountEntry, now: Moment) -> GroupsSource {
        let answer_age = age(now, entry.groups_at);
        if entry.groups.is_some() && answer_age <= self.ages.max_s {
            return GroupsSource::Provider;
        }
        let provider = entry.provider.clone();
        match &entry.attempt {
            Some(Attempt { at, why: NotSaid::NoAnswer(cause) })
                if entry.groups.is_some()
                    && answer_age <= self.ages.outage_s
                    && age(now, *at) <= self.ages.max_s =>
            {
                let (said_at, cause) = (entry.groups_at, cause.clone());
                GroupsSource::LastAnswer(LastAnswer { provider, said_at, cause })
            }
            Some(attempt) => GroupsSource::Unknown { provider, why: attempt.why.clone() },
            None => GroupsSource::Unknown { provider, why: NotSaid::NotAsked },
        }
    }
}

impl Deref for People {
    type Target = [Arc<Person>];

    fn deref(&self) -> &[Arc<Person>] {
        &self.entries
    }
}

impl<'a> IntoIterator for &'a People {
    type Item = &'a Arc<Person>;
    type IntoIter = std::slice::Iter<'a, Arc<Person>>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.iter()
    }
}
