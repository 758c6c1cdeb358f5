//! The `gossip-node` program: all of it is in the library's `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    gossip_node::cli::main(std::env::args_os())
}
