//! Who may sign in by a device code (RFC 8628). A person who is sent a code by an attacker, and types it, signs the attacker's
//! device in: so it is not for those who may approve, unless the configuration says so.

use super::directory::{Directory, Members, Membership};
use super::policy::Access;
use crate::config::{Config, DeviceSignIn};

/// Why a person may not sign in by a device code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeviceRefused {
    /// The person may approve.
    #[error(
        "you may approve requests, and approvers do not sign in by a code that is typed: run `breakglass login` on a \
         machine with a browser"
    )]
    Approver,
    /// It is not known whether the person may approve.
    #[error(
        "the identity provider did not say in which groups you are, so it is not known whether you may approve \
         requests, and approvers do not sign in by a code that is typed: run `breakglass login` on a machine with a \
         browser"
    )]
    Unknown,
    /// No person may.
    #[error(
        "this service signs no person in by a code that is typed (`device_sign_in`): run `breakglass login` on a \
         machine with a browser"
    )]
    Off,
}

/// Whether a person whose account is to be called `name` may sign in by a device code: this provider says at this moment that
/// the person is in these groups; nothing where it does not say in which.
///
/// # Errors
/// [`DeviceRefused`].
pub fn check_device_sign_in(
    config: &Config,
    name: &str,
    provider: &str,
    groups: Option<&[String]>,
) -> Result<(), DeviceRefused> {
    let provider = config.identity_providers.iter().find(|one| one.name == provider);
    let answer = Answer { may_approve: provider.map(|one| one.may_approve), groups };
    check(config, || Access::new(config, &answer).approves_any(name))
}

/// The same of an account that the configuration knows, by what counts now of what was said in which groups the person is.
///
/// # Errors
/// [`DeviceRefused`].
pub fn check_device_sign_in_of(config: &Config, account: &str) -> Result<(), DeviceRefused> {
    check(config, || match config.people.account(account) {
        Some(_) => Access::of(config).approves_any(account),
        None => Membership::Unknown,
    })
}

fn check(config: &Config, may_approve: impl FnOnce() -> Membership) -> Result<(), DeviceRefused> {
    match config.device_sign_in {
        DeviceSignIn::Everyone => return Ok(()),
        DeviceSignIn::Off => return Err(DeviceRefused::Off),
        DeviceSignIn::Requesters => {}
    }
    match may_approve() {
        Membership::No => Ok(()),
        Membership::Yes => Err(DeviceRefused::Approver),
        Membership::Unknown => Err(DeviceRefused::Unknown),
    }
}

/// What a provider says of one person, before it is kept.
struct Answer<'a> {
    /// Whether the provider's people may approve; nothing where the configuration has no such provider any more.
    may_approve: Option<bool>,
    groups: Option<&'a [String]>,
}

impl Directory for Answer<'_> {
    fn is_member(&self, _person: &str, group: &str) -> Membership {
        match (self.may_approve, self.groups) {
            (None, _) | (_, None) => Membership::Unknown,
            (_, Some(groups)) if groups.iter().any(|one| one == group) => Membership::Yes,
            _ => Membership::No,
        }
    }

    fn members(&self, _group: &str) -> Members {
        Members::Unknown
    }

    fn may_approve(&self, _person: &str) -> bool {
        self.may_approve != Some(false)
    }
}
