//! What `demo` and `bench` make temporary nodes of: a directory, a network that is no other's, and homes on loopback.

use super::failure::{Exit, Failure};
use super::random::random;
use super::running::Running;
use crate::config::{Home, Network, ServerFile};
use crate::proto::gossip::Guid;
use crate::proto::seal::Secret;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use tempfile::TempDir;

/// A directory that goes when it is dropped; its name begins with `prefix`.
pub fn directory(prefix: &str) -> Result<TempDir, Failure> {
    let made = tempfile::Builder::new().prefix(prefix).tempdir();
    made.map_err(|error| Failure::new(Exit::No, "cannot make a temporary directory").why(error.to_string()))
}

/// A network whose name begins with `prefix`. Nobody types its password, so its key is drawn.
pub fn network(prefix: &str) -> Result<Network, Failure> {
    let number = u32::from_be_bytes(random()?);
    Ok(Network::new(format!("{prefix}{number:08x}"), Secret(random()?)))
}

/// A home in `dir` of a node that was never started, at a port that the system will choose. `more` says what else is in
/// its file, which is given back too.
pub fn home(
    dir: PathBuf,
    name: &str,
    network: Network,
    more: impl FnOnce(&mut ServerFile),
) -> Result<(Home, ServerFile), Failure> {
    let home = Home::new(dir);
    home.create().map_err(|error| Failure::new(Exit::No, "cannot make a home").why(error.to_string()))?;
    let mut file = ServerFile::new(Guid::random(random()?), name);
    (file.ip, file.port) = (IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    file.networks.push(network);
    more(&mut file);
    file.save(&home.server_json())?;
    Ok((home, file))
}

/// Stops all at once; fails if one did not stop well.
pub async fn stop(nodes: impl Iterator<Item = Running>) -> Result<(), Failure> {
    let stopping: Vec<_> = nodes.map(|node| tokio::spawn(node.stop())).collect();
    let mut all = Ok(());
    for stopping in stopping {
        let stopped = stopping.await.unwrap_or_else(|error| Err(Failure::new(Exit::No, error.to_string())));
        all = all.and(stopped);
    }
    all
}
