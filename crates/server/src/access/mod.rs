//! Who may do what: which kind of caller may call which operation ([`callers`]), and what the configuration and
//! the [`directory`] say about one person and one request or grant ([`policy`], [`rights`], [`sign_in`]); what a request takes
//! to be approved ([`rules`]), and whose yes counts ([`approve`]).
//!
//! It knows neither HTTP nor the database. A refusal is a [`refused::Refused`]; its form for a client is in
//! `routes/`.

pub mod approve;
pub mod approvers;
pub mod callers;
pub mod device;
pub mod directory;
pub mod emergency;
pub mod near;
pub mod policy;
pub mod refused;
pub mod review;
pub mod rights;
pub mod rotate;
pub mod rules;
pub mod sign_in;

pub use approvers::Approvers;
pub use directory::{Directory, Members, Membership};
pub use policy::Access;
pub use refused::Refused;
pub use rights::Held;
pub use sign_in::{Actor, JudgedSignIn, SignIn};

#[cfg(test)]
mod tests;
