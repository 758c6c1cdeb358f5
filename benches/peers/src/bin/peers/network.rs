//! A bridge in this namespace, to which every node's namespace is tied, and what goes over it.

use crate::Wrong;
use std::collections::HashMap;
use tokio::process::Command;

/// The bridge.
const BRIDGE: &str = "br0";

/// Makes it. Refuses to where this is not a namespace of our own: that is for `run` to see to.
pub async fn bridge() -> Result<(), Wrong> {
    let devices = devices()?;
    if devices.keys().any(|name| name != "lo") {
        return Err("this is the machine's own network: start it by benches/peers/run".into());
    }
    ip(&format!("link add {BRIDGE} type bridge mcast_snooping 0")).await?;
    ip(&format!("link set {BRIDGE} up")).await
}

/// Ties the namespace of a process to it.
pub async fn tie(device: &str, process: u32) -> Result<(), Wrong> {
    ip(&format!("link add {device} type veth peer name eth0 netns {process}")).await?;
    ip(&format!("link set {device} master {BRIDGE} up")).await
}

/// Has nothing pass any more; neither side sees its link go down.
pub async fn cut(device: &str) -> Result<(), Wrong> {
    ip(&format!("link set {device} nomaster")).await
}

/// Has everything pass again.
pub async fn mend(device: &str) -> Result<(), Wrong> {
    ip(&format!("link set {device} master {BRIDGE}")).await
}

async fn ip(what: &str) -> Result<(), Wrong> {
    let output = Command::new("ip").args(what.split(' ')).output().await?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("ip {what}: {}", String::from_utf8_lossy(&output.stderr).trim()).into())
}

/// Bytes that came from each device's other end, with Ethernet, IP and UDP headers.
pub fn devices() -> Result<HashMap<String, u64>, Wrong> {
    let table = std::fs::read_to_string("/proc/net/dev")?;
    let row = |line: &str| {
        let (name, rest) = line.split_once(':')?;
        Some((name.trim().to_owned(), rest.split_whitespace().next()?.parse().ok()?))
    };
    Ok(table.lines().filter_map(row).collect())
}
