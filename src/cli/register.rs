//! `gossip-node register`: REGISTER with another node, and what came of it.

use super::context::Context;
use super::failure::{Exit, Failure};
use super::peers::address;
use crate::client::ClientError;
use crate::config::{HOST_PORT, check_host_port, parse_duration, show_duration};
use crate::display::display_line;
use clap::Args;
use std::time::Duration;

/// Register this node with another.
#[derive(Args, Debug)]
#[command(after_help = "\
Once is enough: from then on each knows all that the other knows, and remembers it. Hosts of one LAN
find each other without.

  gossip-node register 192.168.1.10:6884
  gossip-node register nas:6884 --timeout 30s")]
pub struct Register {
    /// The other node
    #[arg(value_name = "HOST:PORT", value_parser = host_port)]
    address: String,
    /// How long to wait for its answer
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    timeout: Duration,
}

/// An address, as a flag takes it.
pub fn host_port(text: &str) -> Result<String, String> {
    check_host_port(text).map(|()| text.into()).map_err(|problem| format!("{problem}; {HOST_PORT}"))
}

impl Register {
    /// Registers, and waits for the answer.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let spinner = context.spinner(format!("waiting for {} (up to {})", self.address, show_duration(self.timeout)));
        let answer = context.client().register(&self.address, self.timeout).await;
        drop(spinner);
        let registered = answer.map_err(|error| self.explain(error, context))?;
        if context.json {
            return context.print_json(&registered);
        }
        let (name, network) = (display_line(&registered.name), display_line(&registered.network_name));
        let at = address(&registered.ip, registered.port);
        context.print(&format!("registered with {name} at {at} in network {network} ({})\n", registered.guid))
    }

    /// Silence has a few causes that cannot be told apart from here: that is what keeps strangers out.
    fn explain(&self, error: ClientError, context: &Context) -> Failure {
        match error {
            ClientError::Refused(problem) if problem.status == 504 => {
                let waited = show_duration(self.timeout);
                Failure::new(Exit::Timeout, format!("no answer from {} within {waited}", self.address))
                    .why("it is unreachable, or has another network name or another password")
                    .hint("see gossip-node status there; a firewall may keep UDP out")
            }
            error => context.explain()(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for good in ["nas:6884", "10.0.0.1:1", "[2001:db8::1]:6884", "[fe80::1%2]:6884", "nas.local:65535"] {
            assert_eq!(host_port(good).as_deref(), Ok(good));
        }
        for bad in
            ["nas", ":6884", "nas:0", "nas:x", "nas:65536", "fe80::1:6884", "[fe80::1:6884", "[nas]:6884", "a b:1", ""]
        {
            assert!(host_port(bad).is_err(), "{bad}");
        }
    }
}
