//! [`Exposition`]: numbers as Prometheus reads them (text exposition format 0.0.4).

use std::fmt::Write as _;

/// Text that grows by a family of numbers at a time.
#[derive(Default)]
pub(crate) struct Exposition(pub(crate) String);

impl Exposition {
    /// One family: a value for each set of labels, as [`network`] makes them.
    pub(crate) fn family(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        values: impl IntoIterator<Item = (String, u64)>,
    ) {
        let help = help.replace('\\', "\\\\").replace('\n', " ");
        let _ = writeln!(self.0, "# HELP gossip_node_{name} {help}\n# TYPE gossip_node_{name} {kind}");
        for (labels, value) in values {
            let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
            let _ = writeln!(self.0, "gossip_node_{name}{labels} {value}");
        }
    }
}

/// The label of a network: its number in `server.json`, since names of networks are nobody's business.
pub(crate) fn network(at: usize) -> String {
    format!("network=\"{at}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_told_with_its_labels() {
        let mut text = Exposition::default();
        text.family("x", "gauge", "a\nb", [(network(1), 7)]);
        assert_eq!(text.0, "# HELP gossip_node_x a b\n# TYPE gossip_node_x gauge\ngossip_node_x{network=\"1\"} 7\n");
    }
}
