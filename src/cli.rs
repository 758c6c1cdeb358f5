//! The command line: what can be said, and the way to the commands. Each command is a file; what it prints for programs
//! is the API's own structs, and what went wrong is a `Failure`.

mod add;
mod context;
mod create;
mod demo;
mod exec;
mod explain;
mod failure;
mod follow;
mod forget;
mod hangup;
mod init;
mod keys;
mod list;
mod log;
mod log_level;
mod network;
mod password;
mod peers;
mod read;
mod register;
mod reload;
mod retention;
mod run;
mod running;
mod service;
mod simulate;
mod status;
mod ui;
mod wait;

use clap::{Args, Parser, Subcommand};
use context::Context;
use failure::{Exit, Failure};
use std::ffi::OsString;
use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;

/// Hosts on a LAN find each other and replicate short messages to every node: no server, nothing lost.
#[derive(Debug, Parser)]
#[command(
    name = "gossip-node",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(after_help = "\
Try it:        gossip-node demo
On each host:  gossip-node init, then gossip-node run
Then anywhere: gossip-node add 'hello', gossip-node list, gossip-node status

Exit codes: 0 ok, 1 no, 2 usage, 3 no daemon, 4 refused, 5 not found, 6 timeout, 78 bad configuration")]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

/// Flags of all commands, before or after the command's name.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Options of all commands")]
struct Globals {
    /// The daemon's directory
    #[arg(long, global = true, value_name = "DIR", env = "GOSSIP_NODE_HOME", hide_env_values = true)]
    home: Option<PathBuf>,
    /// Which network, where the daemon is in several
    #[arg(long, global = true, value_name = "NAME", env = "GOSSIP_NODE_NETWORK", hide_env_values = true)]
    network: Option<String>,
    /// Print JSON, errors too
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create or update server.json; asks on a terminal
    #[command(visible_alias = "server-files")]
    Init(init::Init),
    /// Be in several networks
    Network(network::Network),
    /// Change a network's password without an outage
    Keys(keys::Keys),
    /// Be a node: the daemon
    Run(run::Run),
    /// Have the daemon read server.json again
    Reload(reload::Reload),
    /// Say what the daemon logs, or have it log more or less
    LogLevel(log_level::LogLevel),
    /// Register this node with another
    Register(register::Register),
    /// Write a message in a dialogue
    Create(create::Create),
    /// Add a message
    Add(add::Add),
    /// List messages, the newest last
    List(list::List),
    /// Show one message
    Read(read::Read),
    /// Show what happens as it happens, or run a command for each message
    Follow(follow::Follow),
    /// Show peers, messages, or both
    Status(status::Status),
    /// Open the node's page in a browser
    Ui(ui::Ui),
    /// List peers, and how each is doing
    Peers(peers::Peers),
    /// Say why a peer is in its state
    Explain(explain::Explain),
    /// Show or set how long the network keeps records and nodes
    Retention(retention::Retention),
    /// Forget a node in the whole network, with what it said
    Forget(forget::Forget),
    /// Wait until peers are reachable, messages here, all in sync
    Wait(wait::Wait),
    /// Watch a cluster of nodes in one process agree
    Demo(demo::Demo),
    /// See what spreading costs and how long it takes, with many nodes in one process
    Simulate(simulate::Simulate),
}

/// Runs the command line `args`, the program's name first.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return misunderstood(&error, &args),
    };
    let json = cli.globals.json;
    let ran = run_command(cli);
    log::flush();
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => ExitCode::from(failure.report(json)),
    }
}

/// clap says best itself what was wrong; programs get it in their own shape.
fn misunderstood(error: &clap::Error, args: &[OsString]) -> ExitCode {
    if error.use_stderr() && args.iter().any(|arg| arg == "--json") {
        let text = error.to_string();
        let what = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
        let what = what.trim_start_matches("error: ");
        return ExitCode::from(Failure::new(Exit::Usage, what).hint("see gossip-node --help").report(true));
    }
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Exit::Usage as u8))
}

fn run_command(cli: Cli) -> Result<(), Failure> {
    let context = Context::new(&cli.globals)?;
    match cli.command {
        Command::Init(init) => init.run(&context),
        Command::Network(network) => on_one(network.run(&context)),
        Command::Keys(keys) => on_one(keys.run(&context)),
        Command::Run(run) => on_many(run.run(&context)),
        Command::Reload(reload) => on_one(reload.run(&context)),
        Command::LogLevel(level) => on_one(level.run(&context)),
        Command::Register(register) => on_one(register.run(&context)),
        Command::Create(create) => on_one(create.run(&context)),
        Command::Add(add) => on_one(add.run(&context)),
        Command::List(list) => on_one(list.run(&context)),
        Command::Read(read) => on_one(read.run(&context)),
        Command::Follow(follow) => on_one(follow.run(&context)),
        Command::Peers(peers) => on_one(peers.run(&context)),
        Command::Explain(explain) => on_one(explain.run(&context)),
        Command::Status(status) => on_one(status.run(&context)),
        Command::Retention(retention) => on_one(retention.run(&context)),
        Command::Forget(forget) => on_one(forget.run(&context)),
        Command::Ui(ui) => on_one(ui.run(&context)),
        Command::Wait(wait) => on_one(wait.run(&context)),
        Command::Demo(demo) => on_many(demo.run(&context)),
        Command::Simulate(simulate) => simulate.run(&context),
    }
}

/// A client waits for one answer: one thread does.
fn on_one(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    on(tokio::runtime::Builder::new_current_thread(), command)
}

/// A daemon answers the control API beside its work.
fn on_many(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    on(tokio::runtime::Builder::new_multi_thread(), command)
}

fn on(mut runtime: tokio::runtime::Builder, command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = runtime
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::No, format!("the system gives no threads or timers: {error}")))?;
    let done = runtime.block_on(command);
    // A thread that still reads standard input must not keep the program.
    runtime.shutdown_background();
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn global_flags_go_before_and_after_the_command() {
        for args in
            [["gossip-node", "--json", "--home", "/h", "list"], ["gossip-node", "list", "--home", "/h", "--json"]]
        {
            let cli = Cli::try_parse_from(args).unwrap();
            assert!(cli.globals.json);
            assert_eq!(cli.globals.home, Some("/h".into()));
        }
    }

    #[test]
    fn no_flag_takes_a_password() {
        for flag in ["--password", "--password=x", "-p"] {
            assert!(Cli::try_parse_from(["gossip-node", "init", flag]).is_err(), "{flag}");
        }
    }
}
