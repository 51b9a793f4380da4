//! `breakglass audit`: the real binary on logs.

mod carriers;
mod documented;
mod export;
mod independent;
mod log;
mod report;
mod tail;
mod tampering;
