//! `breakglass audit`: the real binary on logs.

mod begins_later;
mod carriers;
mod delivery;
mod documented;
mod export;
mod hostile_lines;
mod independent;
mod matrix;
mod nothing;
mod report;
mod retention;
mod service_trail;
mod tail;
mod tampering;
mod unsealed;
mod witnesses;
