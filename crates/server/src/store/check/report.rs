//! What a check of the database says.

use serde::Serialize;

/// The most findings of one part that are listed: of a file that is damaged everywhere there is one for each row.
const LISTED: usize = 100;

/// What is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The file, by SQLite's own checks.
    File,
    /// Tables, indexes and triggers.
    Schema,
    /// The chain of events.
    Chain,
    /// The trail, beside the heads that were kept in the file of `trail_heads`.
    Heads,
    /// Requests, approvals, revocations and what was said, beside the events.
    Requests,
    /// The older tables of the trail, beside the events.
    OlderTrail,
    /// The feed of revocations.
    Feed,
    /// The keys that sign tokens, and those that sign the trail.
    Keys,
    /// The evidence database.
    Evidence,
}

impl Part {
    /// What an operator does about it.
    #[must_use]
    pub fn todo(self) -> &'static str {
        match self {
            Part::File => {
                "the storage damaged the file: keep it, and put a backup in its place (`breakglass database restore`)"
            }
            Part::Schema => {
                "another program changed the database's rules: find out who can write the file, keep it, and put a \
                 backup in its place (`breakglass database restore`)"
            }
            Part::Chain => {
                "the trail is not what the service wrote: keep the file as evidence, compare it with a backup \
                 (`breakglass audit verify --service`), and put that in its place (`breakglass database restore`)"
            }
            Part::Heads => {
                "where the end of the trail is missing, or it is another one, the file of the database was replaced or \
                 changed: keep it as evidence, and put a backup in its place (`breakglass database restore`); where the \
                 file of heads cannot be read, make it readable for this user, or start the service, which makes it"
            }
            Part::Requests => {
                "the trail tells what happened where it is whole: no token is minted for an approval that it does not \
                 have; revoke the grant (`breakglass revoke`), and find out who can write the file"
            }
            Part::OlderTrail => {
                "go by the events, which are signed; find out who can write the file"
            }
            Part::Feed => {
                "revoke again what has to be, and let every proxy read the whole feed again: stop the service, \
                 `breakglass database new-feed`"
            }
            Part::Keys => {
                "put the key's file back into `key_directory`, or make it usable as the text says"
            }
            Part::Evidence => {
                "approvals and revocations do not need it: keep the file, and put the backup's in its place with the \
                 service stopped"
            }
        }
    }
}

/// Something that is not as the service left it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// In what.
    pub part: Part,
    /// What, in words.
    pub what: String,
}

/// How many of each were checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Tables, indexes and triggers.
    pub schema: u64,
    /// Events, those from before the chain among them.
    pub events: u64,
    /// Events from before the chain.
    pub events_before_chain: u64,
    /// Heads of `trail_heads.file` that the trail has.
    pub heads: u64,
    /// Heads there of events that a restore lost, by the trail.
    pub lost_heads: u64,
    /// Lines there that are no heads.
    pub unreadable_heads: u64,
    /// Requests.
    pub requests: u64,
    /// Grants that were made of them.
    pub grants: u64,
    /// Revocations.
    pub revocations: u64,
    /// Rows of the older tables of the trail.
    pub older_trail: u64,
    /// Keys that sign tokens and can be used.
    pub signing_keys: u64,
    /// Keys of the trail that can be used.
    pub trail_keys: u64,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many of each were checked.
    pub checked: Counts,
    /// What is not as the service left it, by parts; of one part at most a hundred.
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub unlisted: u64,
}

impl Report {
    /// Whether all that was checked is as the service left it.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    pub(super) fn found(&mut self, part: Part, what: impl Into<String>) {
        if self.findings.iter().filter(|one| one.part == part).count() < LISTED {
            self.findings.push(Finding { part, what: what.into() });
        } else {
            self.unlisted = self.unlisted.saturating_add(1);
        }
    }
}
