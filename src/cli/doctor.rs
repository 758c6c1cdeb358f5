//! `gossip-node doctor`: looks at home, disk, host and network for what keeps nodes apart, and says what to do about each.
//! It changes nothing, and goes as far as it can without a daemon.

mod disk;
mod host;
mod node;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::paint::Paint;
use super::typed::typed;
use crate::api::{Log, LogQuery, NetworkStatus, NodeInfo};
use crate::client::ClientError;
use crate::config::{ConfigError, ServerFile};
use crate::display::{counted, display_line};
use clap::Args;
use serde::Serialize;
use std::fmt::Write as _;

/// Look for what is wrong, and say what to do.
#[derive(Args, Debug)]
#[command(after_help = "\
Looks and changes nothing; the lines that it gives are for you to type. Without a daemon it looks at all
that can be seen without. Exits with 0 if there is no problem (warnings are none), else with 1.

  gossip-node doctor
  gossip-node doctor --json")]
pub struct Doctor {}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Level {
    Ok,
    Warning,
    Problem,
}

/// Something that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    /// What of.
    check: &'static str,
    level: Level,
    /// How it is.
    what: String,
    /// Why that matters; null where all is well.
    why: Option<String>,
    /// What to do; null where there is nothing.
    hint: Option<String>,
}

/// All that was found.
#[derive(Debug, Serialize)]
struct Findings {
    problems: usize,
    warnings: usize,
    checks: Vec<Finding>,
}

/// What the running daemon says.
struct Daemon {
    node: NodeInfo,
    networks: Vec<NetworkStatus>,
    /// Datagrams that no key of this node opens.
    strange: u64,
    log: Log,
}

impl Finding {
    fn ok(check: &'static str, what: impl Into<String>) -> Finding {
        Finding { check, level: Level::Ok, what: what.into(), why: None, hint: None }
    }

    fn warning(check: &'static str, what: impl Into<String>, why: impl Into<String>) -> Finding {
        Finding { level: Level::Warning, why: Some(why.into()), ..Finding::ok(check, what) }
    }

    fn problem(check: &'static str, what: impl Into<String>, why: impl Into<String>) -> Finding {
        Finding { level: Level::Problem, why: Some(why.into()), ..Finding::ok(check, what) }
    }

    fn hint(self, hint: impl Into<String>) -> Finding {
        Finding { hint: Some(hint.into()), ..self }
    }
}

impl Doctor {
    /// Looks.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let spinner = context.spinner("looking");
        let mut checks = disk::home(&context.home);
        let file = configured(context, &mut checks);
        let daemon = asked(context, &mut checks).await;
        if let Some(file) = &file {
            checks.extend(host::ports(file, daemon.as_ref(), context));
            checks.extend(host::mtu(file, context));
        }
        checks.push(host::buffers());
        if let Some(daemon) = &daemon {
            checks.extend(node::network(daemon, file.as_ref().map_or(&[], |file| &file.seeds), context));
        }
        checks.push(host::firewall(daemon.as_ref()));
        checks.extend(disk::disk(&context.home));
        drop(spinner);
        let count = |level| checks.iter().filter(|found| found.level == level).count();
        let findings = Findings { problems: count(Level::Problem), warnings: count(Level::Warning), checks };
        if context.json {
            context.print_json(&findings)?;
        } else {
            context.print(&findings.text(context.paint))?;
        }
        if findings.problems == 0 { Ok(()) } else { Err(Failure::silent(Exit::No)) }
    }
}

impl Findings {
    fn text(&self, paint: Paint) -> String {
        let mut text = String::new();
        for Finding { check, level, what, why, hint } in &self.checks {
            let mark = match level {
                Level::Ok => paint.good("ok     "),
                Level::Warning => paint.warn("warning"),
                Level::Problem => paint.bad("problem"),
            };
            let _ = writeln!(text, "{mark}  {check:<10} {}", display_line(what));
            for (label, said) in [("why", why), ("do", hint)] {
                if let Some(said) = said {
                    let _ = writeln!(text, "         {:<10} {}", format!("{label:>9}:"), display_line(said));
                }
            }
        }
        let end = match (self.problems, self.warnings) {
            (0, 0) => "nothing is wrong".to_owned(),
            (problems, warnings) => {
                format!("{}, {}", counted(problems as u64, "problem"), counted(warnings as u64, "warning"))
            }
        };
        let _ = writeln!(text, "\n{end}");
        text
    }
}

/// What `server.json` says, if it can be read.
fn configured(context: &Context, checks: &mut Vec<Finding>) -> Option<ServerFile> {
    match ServerFile::read(&context.home.server_json()) {
        Ok(loaded) if loaded.file.networks.is_empty() => {
            let why = "a node without a network has nobody to talk to";
            checks.push(
                Finding::problem("config", "server.json names no network", why)
                    .hint(context.command(&["network", "add", "NAME"])),
            );
            Some(loaded.file)
        }
        Ok(loaded) => {
            let names: Vec<&str> = loaded.file.networks.iter().map(|network| network.network_name.as_str()).collect();
            checks.push(Finding::ok("config", format!("server.json is sound; in {}", names.join(", "))));
            Some(loaded.file)
        }
        Err(error @ ConfigError::Missing { .. }) => {
            let why = "no daemon can run here";
            checks.push(Finding::problem("config", error.to_string(), why).hint(context.command(&["init"])));
            None
        }
        Err(error) => {
            let why = "a daemon does not start with it";
            checks.push(Finding::problem("config", error.to_string(), why).hint("mend what it says"));
            None
        }
    }
}

/// What the daemon says, if one runs.
async fn asked(context: &Context, checks: &mut Vec<Finding>) -> Option<Daemon> {
    match ask(context).await {
        Ok(daemon) => {
            let NodeInfo { pid, version, .. } = &daemon.node;
            let ours = env!("CARGO_PKG_VERSION");
            let what = format!("runs, pid {pid}, version {version}");
            checks.push(if version == ours {
                Finding::ok("daemon", what)
            } else {
                Finding::warning("daemon", what, format!("this program is version {ours}"))
                    .hint("start the daemon again, so that both are of one version")
            });
            Some(daemon)
        }
        Err(error) => {
            let held = context.home.is_in_use();
            let run = typed(context.home.dir(), None, &["run"]);
            checks.push(match error {
                ClientError::NoDaemon { .. } if held => {
                    let why = "a daemon has this home and does not answer on its control socket";
                    Finding::problem("daemon", error.to_string(), why).hint("its log says more; start it again")
                }
                ClientError::NoDaemon { .. } => {
                    let why = "what only a daemon sees is not looked at";
                    Finding::warning("daemon", "none runs here", why).hint(run)
                }
                ClientError::Forbidden { .. } => {
                    let why = "only the user who runs the daemon may ask it";
                    Finding::problem("daemon", error.to_string(), why).hint("become that user")
                }
                error => {
                    let why = "it may be stuck, or of another version";
                    Finding::problem("daemon", error.to_string(), why).hint("its log says more; start it again")
                }
            });
            None
        }
    }
}

async fn ask(context: &Context) -> Result<Daemon, ClientError> {
    let client = context.client();
    let node = client.node().await?;
    let (mut networks, mut strange) = (Vec::new(), 0);
    for network in &node.networks {
        let status = client.in_network(network.clone()).status(1).await?;
        strange += status.stats.get("rejected_key_id").copied().unwrap_or(0);
        networks.push(status.network);
    }
    let log = client.log(LogQuery { after: None, level: Some("warn".to_owned()) }).await?;
    Ok(Daemon { node, networks, strange, log })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_say_what_why_and_what_to_do() {
        let checks = vec![
            Finding::ok("daemon", "runs"),
            Finding::problem("disk", "is\u{1b}[2J full", "nothing can be kept").hint("make room"),
        ];
        let text = Findings { problems: 1, warnings: 0, checks }.text(Paint::never());
        let expected = "ok       daemon     runs\n\
                        problem  disk       is\\u{1b}[2J full\n               why: nothing can be kept\n                do: make room\n\
                        \n1 problem, 0 warnings\n";
        assert_eq!(text, expected);
    }
}
