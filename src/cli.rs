//! The command line: what can be said, and the way to the commands. Each command is a file; what it prints for programs
//! is the API's own structs, and what went wrong is a `Failure`.

mod add;
mod bench;
mod check;
mod completions;
mod config;
mod context;
mod create;
mod decode;
mod demo;
mod doctor;
mod exec;
mod explain;
mod export;
mod failure;
mod follow;
mod forget;
mod hangup;
mod help;
mod import;
mod init;
mod keys;
mod leave;
mod lines;
mod list;
mod log;
mod log_level;
mod logs;
mod network;
mod paint;
mod passphrase;
mod password;
mod peers;
mod ping;
mod process;
mod progress;
mod random;
mod read;
mod register;
mod reload;
mod retention;
mod run;
mod running;
mod service;
mod signals;
mod simulate;
mod spare;
mod status;
mod strength;
mod temporary;
mod typed;
mod ui;
mod wait;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand};
use context::Context;
use failure::{Exit, Failure};
use paint::Paint;
use std::ffi::OsString;
use std::future::Future;
use std::path::PathBuf;
use std::pin::{Pin, pin};
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
  gossip-node demo                # try it: a cluster in this terminal
  gossip-node init --network home --password-file secret.txt
  gossip-node run                 # on each host; they find each other
  gossip-node add 'hello'         # then, on any of them
  gossip-node status

Exit codes: 0 ok, 1 no, 2 usage, 3 no daemon, 4 refused, 5 not found, 6 timeout, 78 bad configuration")]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

impl Cli {
    fn of(matches: &ArgMatches) -> Result<Cli, clap::Error> {
        let mut cli = Cli::from_arg_matches(matches)?;
        cli.globals.home_said = matches.value_source("home") == Some(ValueSource::CommandLine);
        Ok(cli)
    }
}

/// Flags of all commands, before or after the command's name.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Options of all commands")]
struct Globals {
    /// The daemon's directory
    #[arg(long, global = true, value_name = "DIR", env = "GOSSIP_NODE_HOME", hide_env_values = true)]
    home: Option<PathBuf>,
    /// Whether it was said on the command line, and not by the environment.
    #[arg(skip)]
    home_said: bool,
    /// Which network, where the daemon is in several
    #[arg(long, global = true, value_name = "NAME", env = "GOSSIP_NODE_NETWORK", hide_env_values = true)]
    network: Option<String>,
    /// Print JSON, errors too
    #[arg(long, global = true)]
    json: bool,
    /// When to use colour; NO_COLOR is honoured
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = ColorChoice::Auto)]
    color: ColorChoice,
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
    /// Show what happens as it happens
    Follow(follow::Follow),
    /// Show peers, messages, or both
    Status(status::Status),
    /// Open the node's page in a browser
    Ui(ui::Ui),
    /// List peers, and how each is doing
    Peers(peers::Peers),
    /// Say why a peer is in its state
    Explain(explain::Explain),
    /// Measure round trips to a peer, and how long a datagram may be
    Ping(ping::Ping),
    /// Write messages as lines of JSON, to be imported elsewhere
    Export(export::Export),
    /// Take in messages that were exported elsewhere
    Import(import::Import),
    /// Say goodbye to the network and stop the daemon
    Leave(leave::Leave),
    /// Show and change settings
    Config(config::Config),
    /// Show the daemon's log
    Logs(logs::Logs),
    /// Look for what is wrong, and say what to do
    Doctor(doctor::Doctor),
    /// Say in one line how things are, for monitoring
    Check(check::Check),
    /// Show or set how long the network keeps records and nodes
    Retention(retention::Retention),
    /// Forget a node in the whole network, with what it said
    Forget(forget::Forget),
    /// Wait until peers are reachable, messages here, all in sync
    Wait(wait::Wait),
    /// Open recorded datagrams, and show what they say
    Decode(decode::Decode),
    /// Print what completes commands in a shell
    Completions(completions::Completions),
    /// Write the manual's pages into a directory
    #[command(hide = true)]
    Man(completions::Man),
    /// Watch a cluster of nodes in one process agree
    Demo(demo::Demo),
    /// Measure how fast it is here, beside what the machine can do
    Bench(bench::Bench),
    /// See what spreading costs, with many nodes in one process
    Simulate(simulate::Simulate),
}

/// Runs the command line `args`, the program's name first.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let mut command = help::laid_out(Cli::command(), &args);
    let parsed = command.try_get_matches_from_mut(&args);
    let cli = match parsed.and_then(|matches| Cli::of(&matches)) {
        Ok(cli) => cli,
        Err(error) => return misunderstood(&error, &args),
    };
    let (json, paint) = (cli.globals.json, Paint::on(&std::io::stderr(), cli.globals.color));
    let is_check = matches!(cli.command, Command::Check(_));
    let ran = run_command(cli);
    log::flush();
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => exit_code(failure.report(json, paint), is_check),
    }
}

/// A monitor takes 1 and 2 for the state of what it watches, and 3 for what cannot be known.
fn exit_code(code: u8, is_check: bool) -> ExitCode {
    ExitCode::from(if is_check && code != Exit::Ok as u8 { check::UNKNOWN } else { code })
}

/// clap says best itself what was wrong; programs get it in their own shape.
fn misunderstood(error: &clap::Error, args: &[OsString]) -> ExitCode {
    let command = Cli::command().ignore_errors(true).try_get_matches_from(args);
    let is_check = command.is_ok_and(|matches| matches.subcommand_name() == Some("check"));
    if error.use_stderr() && help::own(args).iter().any(|arg| arg == "--json") {
        let text = error.to_string();
        let what = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
        let what = what.trim_start_matches("error: ");
        let failure = Failure::new(Exit::Usage, what).hint("see gossip-node --help");
        return exit_code(failure.report(true, Paint::never()), is_check);
    }
    let _ = error.print();
    exit_code(u8::try_from(error.exit_code()).unwrap_or(Exit::Usage as u8), is_check)
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
        Command::Ping(ping) => on_one(ping.run(&context)),
        Command::Export(export) => on_one(export.run(&context)),
        Command::Import(import) => on_one(import.run(&context)),
        Command::Leave(leave) => on_one(leave.run(&context)),
        Command::Config(config) => on_one(config.run(&context)),
        Command::Logs(logs) => on_one(logs.run(&context)),
        Command::Doctor(doctor) => on_one(doctor.run(&context)),
        Command::Check(check) => on_one(check.run(&context)),
        Command::Status(status) => on_one(status.run(&context)),
        Command::Retention(retention) => on_one(retention.run(&context)),
        Command::Forget(forget) => on_one(forget.run(&context)),
        Command::Ui(ui) => on_one(ui.run(&context)),
        Command::Wait(wait) => on_one(wait.run(&context)),
        Command::Decode(decode) => decode.run(&context),
        Command::Completions(completions) => completions.run(&mut Cli::command(), &context),
        Command::Man(man) => man.run(help::laid_out(Cli::command(), &[])),
        Command::Demo(demo) => on_many(demo.run(&context)),
        Command::Bench(bench) => on_many(bench.run(&context)),
        Command::Simulate(simulate) => simulate.run(&context),
    }
}

/// A client waits for one answer: one thread does.
fn on_one(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    on(tokio::runtime::Builder::new_current_thread(), pin!(command))
}

/// A daemon answers the control API beside its work.
fn on_many(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    on(tokio::runtime::Builder::new_multi_thread(), pin!(command))
}

/// All by one path, which is compiled once.
fn on(
    mut runtime: tokio::runtime::Builder,
    command: Pin<&mut dyn Future<Output = Result<(), Failure>>>,
) -> Result<(), Failure> {
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
        help::laid_out(Cli::command(), &[]).debug_assert();
    }

    #[test]
    fn global_flags_go_before_and_after_the_command() {
        for args in
            [["gossip-node", "--json", "--home", "/h", "list"], ["gossip-node", "list", "--home", "/h", "--json"]]
        {
            let cli = Cli::try_parse_from(args).unwrap();
            assert!(cli.globals.json);
            assert_eq!(cli.globals.home, Some("/h".into()));
            assert!(Cli::of(&Cli::command().try_get_matches_from(args).unwrap()).unwrap().globals.home_said);
        }
    }

    #[test]
    fn no_flag_takes_a_password() {
        for flag in ["--password", "--password=x", "-p"] {
            assert!(Cli::try_parse_from(["gossip-node", "init", flag]).is_err(), "{flag}");
        }
    }
}
