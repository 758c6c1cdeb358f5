//! The name that this host goes by.

use crate::proto::gossip::check_name;

/// The host's name as the system has it, if it has one.
pub fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    let name = name.or_else(|_| std::fs::read_to_string("/etc/hostname")).ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// The same, made fit for a node.
pub fn node_name() -> String {
    host_name().filter(|name| check_name(name)).unwrap_or_else(|| "node".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_names_fit_for_nodes() {
        assert!(check_name(node_name()));
    }
}
