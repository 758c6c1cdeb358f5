//! `gossip-node completions` and the hidden `man`: what a shell and a reader of manuals want to know of the command line,
//! made of it, so that neither can be wrong.

use super::context::Context;
use super::failure::{Exit, Failure};
use clap::{Args, Command};
use clap_complete::Shell;
use std::path::PathBuf;

/// Print what completes commands and flags in a shell.
#[derive(Args, Debug)]
#[command(after_help = "  \
gossip-node completions bash > gossip-node.bash
  gossip-node completions fish > gossip-node.fish

bash: put it into ~/.local/share/bash-completion/completions/gossip-node, or source it.
zsh:  as _gossip-node into a directory of $fpath.  fish: into ~/.config/fish/completions/.")]
pub struct Completions {
    /// For which shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Write the manual's pages into a directory.
#[derive(Args, Debug)]
#[command(after_help = "  gossip-node man pages")]
pub struct Man {
    /// Where to; it is made if it is not there
    dir: PathBuf,
}

impl Completions {
    /// Prints it.
    pub fn run(self, command: &mut Command, context: &Context) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, command, "gossip-node", &mut script);
        context.print_bytes(&script)
    }
}

impl Man {
    /// Writes `gossip-node.1`, and a page for each command.
    pub fn run(self, command: Command) -> Result<(), Failure> {
        let failed = |error: std::io::Error| {
            Failure::new(Exit::Refused, format!("cannot write to {}", self.dir.display())).why(error.to_string())
        };
        std::fs::create_dir_all(&self.dir).map_err(failed)?;
        clap_mangen::generate_to(command, &self.dir).map_err(failed)
    }
}
