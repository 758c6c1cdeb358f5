//! `gossip-node run`: the daemon. It says on standard output when it is ready; its log goes to standard error.

use super::context::Context;
use super::failure::{Exit, Failure};
use super::hangup::{Hangup, Hangups};
use super::log::{LogFormat, log_to_stderr};
use super::running::Running;
use super::service::Service;
use super::signals::Signals;
use crate::api::NodeInfo;
use crate::config::Home;
use crate::display::display_line;
use clap::Args;
use std::os::unix::fs::MetadataExt;
use std::pin::pin;
use tracing::level_filters::LevelFilter;

/// Be a node: the daemon.
#[derive(Args, Debug)]
#[command(after_help = "\
Ends gracefully on SIGTERM and SIGINT (Ctrl-C), and when `leave` asks for it; at once on a second one. Reads server.json
again on SIGHUP. GOSSIP_NODE_LOG says what to log: error, warn, info (default), debug, trace, or
gossip_node::daemon=debug; else `log` in server.json does. Under systemd it tells when it is ready (Type=notify), how it
is, and that it lives (WatchdogSec).

  gossip-node run
  GOSSIP_NODE_LOG=debug gossip-node run")]
pub struct Run {
    /// What lines of the log look like; if nobody says, as systemd's journal wants them where that is read, else text
    #[arg(long, value_name = "FORMAT", value_enum, env = "GOSSIP_NODE_LOG_FORMAT", hide_env_values = true)]
    log_format: Option<LogFormat>,
}

impl Run {
    /// Runs until a signal.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        log_to_stderr(LevelFilter::INFO, self.log_format);
        check_user(&context.home)?;
        let (mut signals, mut hangups) = (Signals::take()?, Hangups::take()?);
        let service = Service::of_environment();
        service.starting().await;
        let mut running = tokio::select! {
            running = Running::start(context.home.clone()) => running?,
            code = signals.first() => std::process::exit(code.into()),
        };
        // Until the end: who asks while it stops is told what became of it, too.
        let mut asked_to_leave = pin!(running.handle.asked_to_leave());
        // Whoever was to read the line may have gone: no reason to stop.
        let _ = ready(context, &running);
        let (version, networks) = (env!("CARGO_PKG_VERSION"), running.handle.node().networks.join(", "));
        tracing::info!(version, address = %running.address, networks, "running");
        service.ready(&running.handle).await;
        tokio::spawn(service.clone().watch(running.handle.clone()));
        loop {
            tokio::select! {
                _ = signals.first() => break,
                () = &mut asked_to_leave => break,
                hangup = hangups.next() => match hangup {
                    Hangup::Gone => break,
                    Hangup::Reload => {
                        let (service, handle) = (service.clone(), running.handle.clone());
                        tokio::spawn(async move { service.reload(&handle).await });
                    }
                },
                failure = running.ended() => return Err(failure),
            }
        }
        signals.now_kill();
        tracing::info!("stopping");
        service.stopping().await;
        running.stop().await
    }
}

/// What root wrote into the home of somebody else's daemon, that one could not open any more.
fn check_user(home: &Home) -> Result<(), Failure> {
    let owner = |path: &std::path::Path| std::fs::metadata(path).ok().map(|found| found.uid());
    // The owner of a process's files in /proc is the user as whom it runs.
    match (owner("/proc/self".as_ref()), owner(home.dir())) {
        (Some(0), Some(owner)) if owner != 0 => {
            let dir = home.dir().display();
            Err(Failure::new(Exit::Refused, format!("{dir} is not root's"))
                .why(format!("it belongs to user {owner}, whose daemon could not open what root leaves there"))
                .hint("systemctl start gossip-node, or run it as that user; other commands may be root's"))
        }
        _ => Ok(()),
    }
}

fn ready(context: &Context, running: &Running) -> Result<(), Failure> {
    let NodeInfo { networks, http, .. } = running.handle.node();
    let socket = running.home.control_socket();
    if context.json {
        let file = running.handle.file();
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
    let names = match networks.len() {
        0 => "no network".into(),
        1 => format!("network {}", display_line(&names)),
        _ => format!("networks {}", display_line(&names)),
    };
    let page = running.page.as_ref().map(|page| format!(", page {}", page.address)).unwrap_or_default();
    context.print(&format!("ready at {}, {names}, control socket {}{page}\n", running.address, socket.display()))
}
