//! `breakglass audit`: the real binary on logs.

mod begins_later;
mod carriers;
mod documented;
mod export;
mod independent;
mod log;
mod matrix;
mod nothing;
mod orders;
mod report;
mod tail;
mod tampering;
mod unsealed;
mod witnesses;
