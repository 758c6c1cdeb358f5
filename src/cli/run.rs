//! `gossip-node run`: the daemon. It says on standard output when it is ready; its log goes to standard error.

use super::context::Context;
use super::failure::Failure;
use super::log::log_to_stderr;
use super::running::{Running, Signals};
use crate::api::NodeInfo;
use crate::config::ServerFile;
use crate::display::display_line;
use clap::Args;

/// Be a node: the daemon.
#[derive(Args, Debug)]
#[command(after_help = "\
Ends gracefully on SIGTERM and SIGINT (Ctrl-C), and when `leave` asks for it; at once on a second one.
GOSSIP_NODE_LOG says what to log: error, warn, info (default), debug, trace, or gossip_node::daemon=debug

  gossip-node run
  GOSSIP_NODE_LOG=debug gossip-node run")]
pub struct Run {}

impl Run {
    /// Runs until a signal.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        log_to_stderr("info");
        let mut signals = Signals::take()?;
        let mut running = tokio::select! {
            running = Running::start(context.home.clone()) => running?,
            code = signals.first() => std::process::exit(code.into()),
        };
        // Whoever was to read the line may have gone: no reason to stop.
        let _ = ready(context, &running);
        let handle = running.handle.clone();
        tokio::select! {
            _ = signals.first() => (),
            () = handle.asked_to_leave() => (),
            failure = running.ended() => return Err(failure),
        }
        signals.now_kill();
        tracing::info!("stopping");
        running.stop().await
    }
}

fn ready(context: &Context, running: &Running) -> Result<(), Failure> {
    let NodeInfo { networks, http, .. } = running.handle.node();
    let socket = running.home.control_socket();
    if context.json {
        let file = ServerFile::load(&running.home.server_json())?.file;
        return context.print_json(&serde_json::json!({
            "address": running.address.to_string(),
            "networks": networks,
            "control_socket": socket,
            "http": http,
            "pid": std::process::id(),
            "node_guid": file.node_guid.to_string(),
            "node_name": file.node_name,
        }));
    }
    let names = networks.join(", ");
    let names = display_line(&names);
    let label = if networks.len() == 1 { "network" } else { "networks" };
    let page = running.page.as_ref().map(|page| format!(", page {}", page.address)).unwrap_or_default();
    context.print(&format!(
        "ready at {}, {label} {names}, control socket {}{page}\n",
        running.address,
        socket.display()
    ))
}
