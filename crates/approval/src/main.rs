//! The approval service and the command line.
fn main() {}
