//! The system that keeps incidents ([`IncidentCheck`](crate::config::IncidentCheck)): it is asked for one incident, and its
//! answer is judged. Whatever comes that is no answer is a [`Silence`](crate::json_call::Silence), which is never taken for one.

mod calls;
mod found;
mod judge;

pub use calls::Incidents;
pub use found::Found;
pub use judge::{Asker, Checked, Said, Verdict, judge};
