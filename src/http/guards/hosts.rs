//! [`Hosts`]: the names under which we may be asked. A page of somebody else whose name was made to lead here (DNS
//! rebinding) is the same origin as we to its browser, but it cannot help that the browser says for whom it asks.

use axum::http::uri::Authority;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Names of this host. An address needs none: it is ours if the connection came to it, and no name leads to it.
#[derive(Debug)]
pub(in crate::http) struct Hosts(BTreeSet<String>);

impl Hosts {
    /// `localhost` and this host's own names.
    pub(in crate::http) fn new(host_name: Option<String>) -> Hosts {
        let mut names = BTreeSet::from(["localhost".to_owned()]);
        if let Some(name) = host_name {
            let first = name.split('.').next().unwrap_or_default();
            names.extend([canonical(first), canonical(&format!("{first}.local")), canonical(&name)]);
        }
        names.remove("");
        Hosts(names)
    }

    /// Whether a request for `authority` (`HOST` or `HOST:PORT`) is for us, on a connection to our address `local`, where
    /// `more` names are configured. The port may be any: who forwards one to us sees another.
    pub(in crate::http) fn include(&self, authority: &Authority, local: IpAddr, more: &[String]) -> bool {
        if authority.as_str().contains('@') {
            return false;
        }
        let host = canonical(authority.host());
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let is_here = |address: IpAddr| address.is_loopback() || address == local.to_canonical();
        address.is_ok_and(|address| is_here(address.to_canonical()))
            || self.0.contains(&host)
            || more.iter().any(|name| !host.is_empty() && canonical(name) == host)
    }
}

fn canonical(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_and_addresses_are_ours() {
        let (hosts, more) = (Hosts::new(Some("Nas.lan".into())), ["gossip.example.org".into(), "192.0.2.7".into()]);
        let local = "192.0.2.1".parse().unwrap();
        let is_ours =
            |authority: &str| authority.parse().is_ok_and(|authority| hosts.include(&authority, local, &more));
        for ours in [
            "localhost",
            "LOCALHOST:1",
            "localhost.",
            "127.0.0.1",
            "127.0.0.1:9000",
            "[::1]",
            "[::1]:80",
            "nas",
            "nas:1",
            "nas.local",
            "NAS.LAN",
            "192.0.2.1",
            "192.0.2.1:8684",
            "[::ffff:192.0.2.1]",
            "gossip.example.org:443",
            "192.0.2.7",
        ] {
            assert!(is_ours(ours), "{ours}");
        }
        for strange in [
            "evil.example",
            "evil.example:8684",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "nas.evil.example",
            "192.0.2.2",
            "0.0.0.0",
            "[::]",
            "user@localhost",
            "localhost@evil.example",
            "example.org",
            "2130706433",
            "127.1",
            "[::ffff:192.0.2.2]",
            "..",
            "-",
        ] {
            assert!(!is_ours(strange), "{strange}");
        }
    }

    #[test]
    fn a_host_without_a_name_has_no_empty_one() {
        for name in [None, Some(String::new()), Some(".".into())] {
            let hosts = Hosts::new(name);
            assert!(!hosts.0.contains(""), "{hosts:?}");
        }
    }
}
