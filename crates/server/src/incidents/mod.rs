//! The system that keeps incidents ([`IncidentCheck`](crate::config::IncidentCheck)): it is asked for one incident, and its
//! answer is judged. Whatever comes that is no answer is a [`Silence`], which is never taken for one.

mod call;
mod calls;
mod found;
mod judge;

pub use call::{Silence, authorization};
pub use calls::Incidents;
pub use found::Found;
pub use judge::{Asker, Checked, Said, Verdict, judge};
