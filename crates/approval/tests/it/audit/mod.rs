//! `breakglass audit`: the real binary on logs.

mod carriers;
mod delivery;
mod documented;
mod export;
mod hostile_lines;
mod independent;
mod log;
mod report;
mod tail;
mod tampering;
