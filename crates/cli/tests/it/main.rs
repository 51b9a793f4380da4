//! The real binary: the command line, and the service as a process.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test code: what is not as expected ends the test"
)]

mod alerts;
mod attempts;
mod audit;
mod auditors;
mod cli_answers;
mod cli_approve;
mod cli_config;
mod cli_directory;
mod cli_discuss;
mod cli_extend;
mod cli_flow;
mod cli_list;
mod cli_matrix;
mod cli_narrow;
mod cli_probe;
mod cli_reach;
mod cli_receipt;
mod cli_refusals;
mod cli_reviews;
mod cli_revoke;
mod cli_rotations;
mod cli_serve;
mod cli_submit;
mod cli_uses;
mod cli_watch;
mod clock_process;
mod deliveries;
mod device_page;
mod doctor;
mod evidence_database;
mod faults;
mod heads_document;
mod heads_file;
mod http2_attackers;
mod keygen_certificates;
mod keys;
mod leavers;
mod maintenance;
mod memory;
mod one_process;
mod plans;
mod process;
mod reload;
mod reload_files;
mod restore;
mod review_deadline;
mod scopes_import;
mod scopes_narrow;
mod serve_stop;
mod serve_tls;
mod signin;
mod stand_in;
mod storage;
mod unknown_proxies;
mod waits;
