//! `gossip-node network`: which networks a node is in. All of them share its socket, its store and its name, and nothing
//! else. `server.json` is what is changed, and the daemon reads it when it starts.

use super::context::{Context, confirm, not_in};
use super::failure::{Exit, Failure};
use super::password::Source;
use crate::api::NetworkEntry;
use crate::client::ClientError;
use crate::config::{MAX_NETWORKS, Network as Entry, ServerFile};
use crate::display::{display_line, table};
use crate::proto::gossip::{check_name, name_rule};
use crate::proto::seal::Secret;
use clap::{Args, Subcommand};

/// Be in several networks.
#[derive(Args, Debug)]
#[command(after_help = "\
One daemon is in up to 8 networks, with one socket and one gossip.db. Records never go from one
network to another; names and nodes are told unless share_networks is false.

  gossip-node network add work --password-file work.txt
  gossip-node network list
  gossip-node --network home list")]
pub struct Network {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Be in another network
    #[command(after_help = "  gossip-node network add club --password-file work.txt")]
    Add {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        source: Source,
    },
    /// Be in a network no longer; its records stay in gossip.db
    #[command(after_help = "  gossip-node network remove work --yes")]
    Remove {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// List the networks of server.json
    #[command(after_help = "  gossip-node network list")]
    List,
}

impl Network {
    /// Does it.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let path = context.home.server_json();
        let running = match context.client().node().await {
            Ok(node) => Some(node.networks),
            Err(ClientError::NoDaemon { .. }) => None,
            Err(error) => return Err(context.explain()(error)),
        };
        match self.what {
            What::List => {
                let file = ServerFile::read(&path)?.file;
                return list(context, &file, running.as_deref());
            }
            What::Add { name, source } => add(context, &name, &source)?,
            What::Remove { name, yes } => remove(context, &name, yes)?,
        }
        if running.is_some() {
            context.note("The running daemon goes on as it is: it reads server.json when it starts again.");
        }
        Ok(())
    }
}

fn add(context: &Context, name: &str, source: &Source) -> Result<(), Failure> {
    let path = context.home.server_json();
    if !check_name(name) {
        return Err(Failure::new(Exit::Usage, format!("{name:?} is no name for a network")).why(name_rule()));
    }
    let check = |file: &ServerFile| {
        if file.networks.iter().any(|network| network.network_name == name) {
            return Err(Failure::new(Exit::Refused, format!("this node is in the network {name:?} already"))
                .hint(format!("change its password: {}", context.of(Some(name)).command(&["keys", "add"]))));
        }
        if file.networks.len() >= MAX_NETWORKS {
            return Err(Failure::new(Exit::Refused, format!("a node is in at most {MAX_NETWORKS} networks"))
                .hint("remove one first: gossip-node network remove"));
        }
        Ok(())
    };
    // Nobody is asked for a password in vain.
    check(&ServerFile::read(&path)?.file)?;
    let password = source.password(context, name)?;
    let network_key = Secret::derive(name, password.as_bytes());
    let networks = ServerFile::amend(&path, |file| {
        check(file)?;
        file.networks.push(Entry::new(name, network_key));
        Ok::<Vec<NetworkEntry>, Failure>(entries(file, None))
    })?;
    told(context, &networks, &format!("{} is in {} from its next start on", display_line(name), path.display()))
}

fn remove(context: &Context, name: &str, yes: bool) -> Result<(), Failure> {
    let path = context.home.server_json();
    let file = ServerFile::read(&path)?.file;
    if !file.networks.iter().any(|network| network.network_name == name) {
        return Err(not_in(name, &file));
    }
    only(&file)?;
    let fate = "its records stay in gossip.db, where they take their place and are not shown; `gossip-node network add` with the same name has them back";
    if !yes {
        context.can_ask(&format!("the key is forgotten; {fate}"))?;
        let question = format!("Leave the network {}? Its key is forgotten; {fate}.", display_line(name));
        confirm(&question, "nothing was removed")?;
    }
    let networks = ServerFile::amend(&path, |file| {
        only(file)?;
        let at = file.networks.iter().position(|network| network.network_name == name);
        file.networks.remove(at.ok_or_else(|| not_in(name, file))?);
        Ok::<Vec<NetworkEntry>, Failure>(entries(file, None))
    })?;
    told(context, &networks, &format!("removed {}: {fate}", display_line(name)))
}

/// Refuses to take away the only network.
fn only(file: &ServerFile) -> Result<(), Failure> {
    if file.networks.len() > 1 {
        return Ok(());
    }
    Err(Failure::new(Exit::Refused, "this is the node's only network")
        .why("without one it would have nobody to talk to, and nothing to show")
        .hint("add another first: gossip-node network add NAME; or stop the daemon for good: gossip-node leave"))
}

fn entries(file: &ServerFile, running: Option<&[String]>) -> Vec<NetworkEntry> {
    let entry = |network: &Entry| NetworkEntry {
        network_name: network.network_name.clone(),
        key_ids: network.ring().map(|key| key.key_id().to_string()).collect(),
        running: running.map(|running| running.contains(&network.network_name)),
    };
    file.networks.iter().map(entry).collect()
}

fn told(context: &Context, networks: &[NetworkEntry], text: &str) -> Result<(), Failure> {
    if context.json { context.print_json(&networks) } else { context.print(&format!("{text}\n")) }
}

fn list(context: &Context, file: &ServerFile, running: Option<&[String]>) -> Result<(), Failure> {
    let networks = entries(file, running);
    if context.json {
        return context.print_json(&networks);
    }
    if networks.is_empty() {
        context.note("no network yet: gossip-node network add NAME");
        return Ok(());
    }
    let row = |entry: &NetworkEntry| {
        let state = match entry.running {
            Some(true) => "running",
            Some(false) => "from the next start on",
            None => "no daemon runs",
        };
        vec![entry.network_name.clone(), entry.key_ids.join(", "), state.to_owned()]
    };
    context.print(&table(&["NETWORK", "KEYS", "STATE"], networks.iter().map(row)))
}
