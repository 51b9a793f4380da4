//! What a request takes to be approved: the rules that match it ([`needs`]), each with its stages, and what the answers of people
//! bring of that ([`stages`]), and who can be asked ([`candidates`]). Pure: the directory, the configuration and the facts come in.
//!
//! 1. *Every* rule that matches a scope of the request must be met, so that a rule with a condition can only add. The `approvers`
//!    of a scope are the short form of a rule of one stage without a condition.
//! 2. A condition that cannot be evaluated matches.
//! 3. The stages of a rule are met by different people, none of them the requester. One answer counts in each rule that names
//!    its author.
//! 4. What a request needs is fixed when it is submitted. What the configuration asks for since then comes on top, with the
//!    conditions as of the submission: a change of the configuration can add to a pending request and takes nothing from it.
//! 5. The longer a request waits, the more groups its stages can name ([`escalated`]): so many people are needed as before.
//! 6. What a requester takes alone in an emergency is in [`emergency`].

pub mod candidates;
mod conditions;
pub mod emergency;
pub mod escalated;
pub mod facts;
pub mod fixed;
pub mod needs;
pub mod stages;
mod turns;

pub use candidates::CanBeMet;
pub use emergency::{EmergenciesLately, EmergencyFacts, FixedEmergency};
pub use escalated::escalations;
pub use facts::{Facts, HeldTime};
pub use fixed::FixedNeeds;
pub use needs::{Need, Needs, Stage};
pub use stages::{Answer, Filled};

#[cfg(test)]
mod tests;
