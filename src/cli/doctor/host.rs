//! The host: its ports, interfaces, buffers, and what may stand between it and others.

use super::super::context::Context;
use super::super::spare::spare_port;
use super::node::is_lonely;
use super::{Daemon, Finding};
use crate::config::ServerFile;
use crate::display::bytes;
use crate::net::BUFFER;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;

/// What the daemon asks of the kernel for what comes in.
const WANTED: u64 = BUFFER as u64;
/// Bytes of headers before a datagram's payload: of UDP, and of IPv4 or IPv6.
const HEADERS: (usize, usize) = (8 + 20, 8 + 40);
/// Where programs of a firewall are, beside what `PATH` names.
const SBIN: [&str; 2] = ["/usr/sbin", "/sbin"];

/// Whether the node's UDP port is its own.
pub(super) fn ports(file: &ServerFile, daemon: Option<&Daemon>, context: &Context) -> Vec<Finding> {
    if let Some(daemon) = daemon {
        let bound = daemon.networks.first().map_or(file.port, |network| network.port);
        let what = format!("UDP port {bound} is this daemon's");
        if file.port != 0 && file.port != bound {
            let why = format!("server.json says {}, which the daemon has not read yet", file.port);
            return vec![Finding::warning("port", what, why).hint("start the daemon again")];
        }
        return vec![Finding::ok("port", what)];
    }
    if file.port == 0 {
        return vec![Finding::ok("port", "the kernel chooses a UDP port at each start")];
    }
    let addr = SocketAddr::new(file.ip, file.port);
    vec![match UdpSocket::bind(addr) {
        Ok(_) => Finding::ok("port", format!("UDP {addr} is free")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let who = holder(file.port).map_or("another program".into(), |who| format!("another program ({who})"));
            let other = context.of(None).command(&["config", "set", "port", &spare_port(file.ip).to_string()]);
            Finding::problem("port", format!("UDP {addr} is taken"), format!("{who} has it: a daemon cannot start"))
                .hint(format!("stop that one, or take another port: {other}"))
        }
        Err(error) => {
            let why = "a daemon cannot start";
            let all = context.of(None).command(&["config", "set", "ip", "0.0.0.0"]);
            Finding::problem("port", format!("cannot bind UDP {addr}: {error}"), why)
                .hint(format!("name an address of this host: {all}"))
        }
    }]
}

/// Which process has a UDP port: its name and pid, as far as this user may see that.
fn holder(port: u16) -> Option<String> {
    let tables = ["/proc/net/udp", "/proc/net/udp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    let inodes: BTreeSet<&str> =
        tables.iter().flat_map(|table| table.lines()).filter_map(|line| of(line, port)).collect();
    let of_pid = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().parse::<u32>().is_ok();
    for process in fs::read_dir("/proc").ok()?.flatten().filter(of_pid) {
        let Ok(files) = fs::read_dir(process.path().join("fd")) else { continue };
        let has = files.flatten().any(|file| {
            let target = fs::read_link(file.path()).unwrap_or_default();
            let target = target.to_string_lossy();
            let inode = target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
            inode.is_some_and(|inode| inodes.contains(inode))
        });
        if has {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!("{}, pid {}", name.trim(), process.file_name().to_string_lossy()));
        }
    }
    None
}

/// The inode of a line of `/proc/net/udp`, if it is of this port.
fn of(line: &str, port: u16) -> Option<&str> {
    let mut fields = line.split_whitespace();
    let (_, at) = fields.nth(1)?.rsplit_once(':')?;
    (u16::from_str_radix(at, 16).ok()? == port).then(|| fields.nth(7)).flatten()
}

/// Whether what goes out fits the links.
pub(super) fn mtu(file: &ServerFile, context: &Context) -> Vec<Finding> {
    let headers = if file.ip.is_ipv4() { HEADERS.0 } else { HEADERS.1 };
    let most = file.max_datagram + headers;
    let mut names: BTreeSet<String> = BTreeSet::new();
    for interface in if_addrs::get_if_addrs().unwrap_or_default() {
        if !interface.is_loopback() && (file.ip.is_unspecified() || interface.ip() == file.ip) {
            names.insert(interface.name);
        }
    }
    let mut seen = Vec::new();
    for name in &names {
        let path = Path::new("/sys/class/net").join(name).join("mtu");
        let mtu = fs::read_to_string(path).ok().and_then(|mtu| mtu.trim().parse::<usize>().ok());
        seen.extend(mtu.map(|mtu| (name, mtu)));
    }
    let small: Vec<&(&String, usize)> = seen.iter().filter(|(_, mtu)| *mtu < most).collect();
    match (small.first(), seen.iter().min_by_key(|(_, mtu)| *mtu)) {
        (Some((name, mtu)), _) => {
            let what = format!("{name} passes {mtu} bytes at once, and max_datagram needs {most}");
            let why = "datagrams that are too long are lost there, and records with them";
            let fits = mtu.saturating_sub(headers).max(1200).to_string();
            let fits = context.of(None).command(&["config", "set", "max_datagram", &fits]);
            vec![Finding::problem("mtu", what, why).hint(fits)]
        }
        (None, Some((name, mtu))) => {
            let of = if seen.len() == 1 { format!("{name} passes {mtu}") } else { format!("all pass {mtu} or more") };
            vec![Finding::ok("mtu", format!("{of} bytes at once; datagrams need {most}"))]
        }
        (None, None) => Vec::new(),
    }
}

/// Whether the kernel grants the buffer that bursts need.
pub(super) fn buffers() -> Finding {
    let most = fs::read_to_string("/proc/sys/net/core/rmem_max").ok().and_then(|most| most.trim().parse::<u64>().ok());
    match most {
        Some(most) if most < WANTED => {
            let what = format!("the kernel grants {} of the {} asked for", bytes(most), bytes(WANTED));
            let why = "in bursts datagrams are lost, and repaired a little later";
            Finding::warning("buffers", what, why).hint(format!("sysctl -w net.core.rmem_max={WANTED}"))
        }
        Some(_) => Finding::ok("buffers", format!("the kernel grants the {} asked for", bytes(WANTED))),
        None => Finding::ok("buffers", "what the kernel grants cannot be seen here"),
    }
}

/// A firewall, and the line that opens it.
struct Firewall {
    name: &'static str,
    program: &'static str,
    /// What is there while it is on, if that can be seen.
    on: Option<fn() -> bool>,
}

const FIREWALLS: [Firewall; 4] = [
    Firewall { name: "ufw", program: "ufw", on: Some(ufw_is_on) },
    Firewall { name: "firewalld", program: "firewall-cmd", on: Some(|| Path::new("/run/firewalld").exists()) },
    Firewall { name: "nftables", program: "nft", on: None },
    Firewall { name: "iptables", program: "iptables", on: None },
];

fn ufw_is_on() -> bool {
    let file = fs::read_to_string("/etc/ufw/ufw.conf").unwrap_or_default();
    file.lines().any(|line| line.trim().eq_ignore_ascii_case("ENABLED=yes"))
}

fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = std::env::split_paths(&path).chain(SBIN.map(Into::into));
    dirs.into_iter().any(|dir| dir.join(program).is_file())
}

/// What may keep others out. It is said as a warning where a daemon hears nobody.
pub(super) fn firewall(daemon: Option<&Daemon>) -> Finding {
    let there: Vec<&Firewall> = FIREWALLS.iter().filter(|firewall| is_there(firewall.program)).collect();
    // One that is known to be on counts before those of which nothing is known.
    let known = there.iter().find(|firewall| firewall.on.is_some_and(|on| on()));
    let found = known.or_else(|| there.iter().find(|firewall| firewall.on.is_none()));
    let Some(firewall) = found else {
        return Finding::ok("firewall", "no ufw, firewalld, nft or iptables is on here");
    };
    let what = format!("{} is {}", firewall.name, if known.is_some() { "on" } else { "installed" });
    let Some(daemon) = daemon else { return Finding::ok("firewall", what) };
    match daemon.networks.first() {
        Some(network) if is_lonely(&daemon.networks) => {
            let why = "nobody is heard: it may keep them out";
            let discovery = network.discovery.as_ref().map(|discovery| discovery.port);
            Finding::warning("firewall", what, why).hint(opening(firewall.name, network.port, discovery))
        }
        _ => Finding::ok("firewall", format!("{what}, and lets others through")),
    }
}

/// What to type to let nodes in.
fn opening(firewall: &str, port: u16, discovery: Option<u16>) -> String {
    let next = discovery.is_some_and(|discovery| port.checked_add(1) == Some(discovery));
    let ports = [Some(port), discovery].into_iter().flatten().map(|port| port.to_string()).collect::<Vec<_>>();
    let range = |to: &str| ports.join(if next { to } else { "," });
    match firewall {
        "ufw" => format!("ufw allow {}/udp", range(":")),
        "firewalld" => {
            let opened = if next { vec![range("-")] } else { ports };
            let flags: String = opened.iter().map(|ports| format!(" --add-port={ports}/udp")).collect();
            format!("firewall-cmd --permanent{flags} && firewall-cmd --reload")
        }
        "nftables" => format!("nft add rule inet filter input udp dport '{{ {} }}' accept", ports.join(", ")),
        _ => format!("iptables -I INPUT -p udp -m multiport --dports {} -j ACCEPT", ports.join(",")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn the_line_to_type_names_the_ports_that_are_used() {
        assert_eq!(opening("ufw", 6884, Some(6885)), "ufw allow 6884:6885/udp");
        assert_eq!(opening("ufw", 7000, Some(6885)), "ufw allow 7000,6885/udp");
        assert!(opening("firewalld", 6884, Some(6885)).contains("--add-port=6884-6885/udp"));
        assert!(opening("firewalld", 7000, Some(6885)).contains("--add-port=7000/udp --add-port=6885/udp"));
        assert!(opening("nftables", 6884, Some(6885)).contains("{ 6884, 6885 }"));
        assert!(opening("iptables", 6884, Some(6885)).contains("--dports 6884,6885"));
        assert_eq!(opening("ufw", 6884, None), "ufw allow 6884/udp");
        assert!(opening("firewalld", 6884, None).contains("--permanent --add-port=6884/udp &&"));
    }

    #[test]
    fn a_firewall_is_blamed_by_a_daemon_alone() {
        assert_eq!(firewall(None).level, Level::Ok);
    }

    #[test]
    fn who_has_a_port_is_found_out() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let who = holder(socket.local_addr().unwrap().port()).unwrap();
        assert!(who.ends_with(&format!("pid {}", std::process::id())), "{who}");
        let line =
            "  12: 0100007F:1AE4 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000        0 54321 2 0 0";
        assert_eq!((of(line, 0x1AE4), of(line, 1)), (Some("54321"), None));
    }
}
