//! The command line: parse, run, exit code (to come).

fn main() {}
