//! `breakglass audit`: the real binary on logs.

mod carriers;
mod independent;
mod log;
mod report;
mod tampering;
