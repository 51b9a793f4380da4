//! Who may sign in by a device code (RFC 8628). A person who is sent a code by an attacker, and types it, signs the attacker's
//! device in: so it is not for those who may approve, unless the configuration says so.

use super::directory::{Directory, LastKnown, Members, Membership};
use super::policy::Access;
use super::refused::Refused;
use super::sign_in::SignIn;
use crate::config::{Config, DeviceSignIn};
use crate::limits::DEVICE_CODE_S;
use crate::provider_groups::{GroupNames, GroupsAtProvider};

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
    groups: Option<&GroupsAtProvider>,
) -> Result<(), DeviceRefused> {
    let provider = config.identity_providers.iter().find(|one| one.name == provider);
    let names = provider.and_then(|one| config.group_names(&one.name));
    let may_approve = provider.map(|one| one.may_approve);
    let answer = Answer { may_approve, groups: names.zip(groups) };
    check(config, || Access::new(config, &answer).approves_any(name))
}

/// The same of an account that the configuration knows, by what counts now of what was said in which groups the person is.
/// Before the first session there is none by which the provider could be asked again: then what it said at the sign-in counts
/// until the device code is over.
///
/// # Errors
/// [`DeviceRefused`].
pub fn check_device_sign_in_of(config: &Config, account: &str) -> Result<(), DeviceRefused> {
    let by_sign_in = || config.people.was_answered_at_sign_in(account, DEVICE_CODE_S);
    check(config, || match config.people.account(account) {
        None => Membership::Unknown,
        Some(_) => match Access::of(config).approves_any(account) {
            Membership::Unknown if by_sign_in() => {
                Access::new(config, &LastKnown(config)).approves_any(account)
            }
            known => known,
        },
    })
}

impl Access<'_> {
    /// Whether requests may be approved by this sign-in: by a session that began with a device code, only where approvers may
    /// sign in so. A person can become an approver while such a session lasts, which an attacker may have.
    ///
    /// # Errors
    /// [`Refused::ApprovalByDevice`].
    pub fn check_approve_by(&self, sign_in: &SignIn) -> Result<(), Refused> {
        let is_by_device = matches!(sign_in, SignIn::Session { by_device: true, .. });
        match is_by_device && self.config.device_sign_in != DeviceSignIn::Everyone {
            true => Err(Refused::ApprovalByDevice),
            false => Ok(()),
        }
    }
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
    groups: Option<(GroupNames, &'a GroupsAtProvider)>,
}

impl Directory for Answer<'_> {
    fn is_member(&self, _person: &str, group: &str) -> Membership {
        match (self.may_approve, &self.groups) {
            (None, _) | (_, None) => Membership::Unknown,
            (_, Some((names, said))) if names.has(said, group) => Membership::Yes,
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
