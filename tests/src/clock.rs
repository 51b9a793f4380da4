//! Envoy's wall clock, which can be set while it runs: a small library that is loaded before all others
//! (`LD_PRELOAD`) and adds to what the system says.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

const LIBRARY: &str = "clock.so";
const OFFSET: &str = "clock.offset";

/// Builds the library in `directory` and makes `command` run by its clock.
///
/// # Panics
/// When there is no C compiler, which building the filter needs too.
pub(crate) fn install(command: &mut Command, directory: &Path) {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/clock.c");
    let library = directory.join(LIBRARY);
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(&library).arg(source);
    assert!(compiler.status().expect("cc runs").success(), "cc builds {source}");
    File::create(directory.join(OFFSET)).unwrap();
    set(directory, 0);
    command.env("LD_PRELOAD", library).env("CLOCK_OFFSET", directory.join(OFFSET));
}

/// Sets the clock so many seconds off.
pub(crate) fn set(directory: &Path, seconds: i64) {
    let file = File::options().write(true).open(directory.join(OFFSET)).unwrap();
    file.write_all_at(&seconds.to_ne_bytes(), 0).unwrap();
}
