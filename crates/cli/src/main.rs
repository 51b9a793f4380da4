//! The binary `breakglass`: reads the command line, runs one verb, ends with its exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    breakglass_cli::cli::main().into()
}
