//! Reads the audit records that the filter left in Envoy's access logs, without the filter's code:
//! what is proved here is proved by another reader of the documented form (docs/audit.md).
//!
//! ```text
//! source   files, gzip, zstd           -> lines
//! files    all of them in their order  -> lines
//! join     lines that were split       -> line with its place
//! line     records in a line           -> record's text and members
//! record   members, canonical form     -> sealed as it says, or changed
//! chain    numbers and links per chain -> findings
//! verify   all of it, against heads    -> verdict
//! proof    one record, by the verdict  -> proven, sealed, unproven, or what was found
//! report   records about one thing     -> JSON, html
//! trail    uses, against the approvals -> findings of the report
//! tail     a log that is being written -> paint
//! service  the service's own events, against their keys -> verdict of their chain
//! export   records for other systems   -> ocsf, ecs
//! ```

pub mod canonical;
mod carrier;
pub mod chain;
mod configurations;
pub mod digest;
pub mod ecs;
pub mod export;
pub mod files;
pub mod finding;
pub mod folded;
pub mod grants;
pub mod heads;
mod heads_page;
pub mod html;
mod html_rules;
mod html_values;
pub mod join;
pub mod line;
pub mod moment;
pub mod ocsf;
pub mod open;
pub mod order;
mod other_rules;
pub mod paint;
mod parts;
pub mod proof;
pub mod read;
pub mod record;
pub mod report;
pub mod run;
mod scan;
pub mod service;
mod signs;
pub mod source;
mod spelling;
pub mod starts;
pub mod tail;
pub mod text;
mod trail;
pub mod unvouched;
mod uses;
pub mod verdict;
pub mod verify;
