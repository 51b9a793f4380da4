//! What every kind of sink makes its message of.

use lettre::Address;

use super::notice::Notice;
use crate::clock::Moment;

/// Whether a message is sent, or only looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// It is sent: secrets are read.
    Sending,
    /// A person looks at it: no secret is read, and where one would stand, there are words.
    Preview,
}

/// What every kind of sink makes its message of.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// What happened.
    pub notice: &'a Notice,
    /// The service's issuer.
    pub source: &'a str,
    /// When it is sent.
    pub now: Moment,
    /// What for.
    pub purpose: For,
    /// The person to whom it goes, where the sink writes to people; nothing for one that is only looked at.
    pub to: Option<&'a Addressee>,
}

/// A person to whom a letter goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressee {
    /// The name.
    pub person: String,
    /// Where.
    pub address: Address,
}

impl Event<'_> {
    /// The page of its request.
    #[must_use]
    pub fn link(&self) -> Option<String> {
        self.notice.link(self.source)
    }
}
