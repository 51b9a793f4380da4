//! What people do with requests and grants: one function for each use case. It takes who, what and now; it checks; and it
//! writes state, trail and event in one transaction. It knows nothing of HTTP: a refusal is a [`Refused`], and how one
//! looks is in [`crate::routes`].
//!
//! 1. What opens access (submit, approve, take a token) takes a [`TrustedMoment`]; what only ends it takes any time.
//! 2. Each looks twice: before it takes the lock, so that a refusal costs no lock, and under it, where what it sees stays
//!    as it is until it is done ([`locked`]).
//! 3. What is changed is recorded, or it is not changed: see [`crate::store::Change`].
//!
//! ```text
//! submit      a person asks                 -> pending
//! discuss     an approver asks, it answers  -> pending
//! approve     another person says yes, to all of it or to less (narrowing)  -> approved
//! deny        another person says no        -> denied
//! cancel      the requester takes it back   -> cancelled
//! lapse       time goes by                  -> lapsed
//! activate    the requester takes the first token, and further ones  -> active
//! revoke      a grant is ended, or given back                        -> revoked
//! kill        many grants are ended
//! leave       a person has left: their requests and grants end
//! sessions    a person signs in, goes on, and signs out
//! device_tokens  a device takes the tokens of its session, once a person has signed in for it
//! judged      a person's groups are asked for at the provider before they open anything
//! groups_lost a person lost a group there: the grants that need it end
//! watched     what happens, for those who may see it
//! held_ends   ends that many people's losses at once hold back
//! alerts      a proxy reports what calls for attention
//! owe_rotations  a used grant has ended: what it touched is owed, and its hooks are called
//! rotations   it is rotated by hand, or a hook is called again
//! owe_reviews a used grant has ended: a person who took no part is to look at it
//! reviews     that person signs or disputes it
//! incident_checks  incidents of requests that go on are checked again
//! escalate    a request has waited for long: further groups are told
//! unreached   no approver was reached by what the sinks were told of a request
//! replay      an event is delivered to the sinks again
//! ```

mod activate;
mod alerts;
mod approve;
mod ask;
mod cancel;
mod deny;
mod device_tokens;
mod directory;
mod discuss;
mod emergency;
mod ends;
mod escalate;
mod find;
mod fixed_needs;
mod grant_end;
mod grant_uses;
mod groups_lost;
pub mod held;
mod held_ends;
mod incident;
mod incident_checks;
mod incident_refused;
mod incident_step;
mod judged;
mod kill;
mod lapse;
mod leave;
mod locked;
mod mintable;
mod narrowing;
mod owe_reviews;
mod owe_rotations;
mod refused;
mod replay;
mod review_shown;
mod reviews;
mod revoke;
mod rotations;
mod said_groups;
pub mod sessions;
mod submit;
mod unreached;
mod waited;
pub mod watched;

pub use activate::{TokenTaken, take_token};
pub use alerts::{AlertsTaken, NotTaken, Report as ReportOfAlerts, report_alerts};
pub use approve::{Approval, Approved, approve};
pub use ask::Ask;
pub use cancel::cancel;
pub use deny::deny;
pub use device_tokens::begin_by_device;
pub use directory::refresh;
pub use discuss::{answer, question};
pub use ends::tell_ends;
pub use escalate::escalate;
pub use find::{grant, request};
pub use grant_end::grant_end;
pub use grant_uses::uses_of;
pub use groups_lost::look as look_at_held_ends;
pub use held_ends::{Confirmed, confirm, held_ends};
pub use incident_checks::check_incidents;
pub use incident_refused::IncidentRefused;
pub use judged::{Judged, JudgedActor, JudgedParties, judge, judge_parties};
pub use kill::{Killed, kill};
pub use lapse::lapse;
pub use leave::{Ended, end_holders};
pub use narrowing::Narrowing;
pub use owe_reviews::{owe_reviews, tell_overdue_reviews};
pub use owe_rotations::{notice_of_rotation, owe_rotations, settle_rotation};
pub use refused::{GroupsUnknown, NoLonger, OnlyRequester, Refused, WrongField};
pub use replay::replay;
pub use reviews::{
    Decision, ReviewPage, Reviewed, Verdict, WhichReviews, decide_review, review, reviews,
};
pub use revoke::{Ending, revoke, revoke_by_token};
pub use rotations::{retry_rotation, rotated_by_hand, rotations};
pub use submit::{Submitted, submit};
pub use unreached::say_unreached;

pub use crate::timekeeper::TrustedMoment;
