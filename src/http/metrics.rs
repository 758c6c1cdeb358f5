//! `/metrics`: the node's counters and gauges as Prometheus reads them. Labels have words of ours and numbers alone.

use super::exposition::{Exposition, network};
use crate::api::Problem;
use crate::daemon::{Gauges, Handle};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Counters and gauges of all networks, for Prometheus.
#[cfg_attr(test, utoipa::path(get, path = "/metrics", tag = "node", responses(
    (status = 200, body = String, content_type = "text/plain"), super::described::Problems,
)))]
pub(super) async fn metrics(State(handle): State<Handle>) -> Result<Response, Problem> {
    let (store, networks) = handle.gauges().await?;
    let mut text = Exposition::default();
    let version = format!("version=\"{}\"", handle.node().version);
    text.family("build_info", "gauge", "The program's version.", [(version, 1)]);
    text.family(
        "store_queued_bytes",
        "gauge",
        "Bytes of records that are not on disk yet.",
        [(String::new(), store.queued)],
    );
    let refuses = u64::from(store.refuses);
    text.family("store_refuses", "gauge", "Whether the disk takes no records.", [(String::new(), refuses)]);
    let help = "When the daemon started, in seconds since 1970.";
    text.family("start_time_seconds", "gauge", help, [(String::new(), store.started)]);
    text.family("store_rows", "gauge", "The last row of the store.", [(String::new(), store.indexed.all)]);
    text.family("index_rows", "gauge", "The last row in the index of words.", [(String::new(), store.indexed.done)]);
    networks_told(&mut text, &networks);
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text.0).into_response())
}

fn networks_told(text: &mut Exposition, networks: &[Gauges]) {
    let each = |value: fn(&Gauges) -> u64| networks.iter().enumerate().map(move |(at, all)| (network(at), value(all)));
    text.family("records", "gauge", "Complete records held.", each(|all| all.totals.complete));
    text.family("records_incomplete", "gauge", "Long records under way.", each(|all| all.totals.incomplete));
    text.family("records_bytes", "gauge", "Bytes of the MSGs of complete records.", each(|all| all.totals.bytes));
    text.family("peers_in_sync", "gauge", "Reachable peers that hold the same.", each(|all| all.in_sync));
    let reach = |(at, all): (usize, &Gauges)| {
        let label = |(reach, count): &(&str, u64)| (format!("{},reach=\"{reach}\"", network(at)), *count);
        all.peers.iter().map(label).collect::<Vec<_>>()
    };
    text.family("peers", "gauge", "Known peers, by how they are reached.", networks.iter().enumerate().flat_map(reach));
    let rejected = |(at, all): (usize, &Gauges)| {
        let label = |(cause, count): &(&str, u64)| {
            let cause = cause.strip_prefix("rejected_").unwrap_or(cause);
            (format!("{},cause=\"{cause}\"", network(at)), *count)
        };
        all.rejected.iter().map(label).collect::<Vec<_>>()
    };
    let all = networks.iter().enumerate().flat_map(rejected);
    text.family("datagrams_rejected_total", "counter", "Datagrams dropped, by cause.", all);
    for (index, (name, _, help)) in networks.first().into_iter().flat_map(|all| &all.counters).enumerate() {
        let counts = networks.iter().enumerate();
        let counts = counts.filter_map(|(at, all)| Some((network(at), all.counters.get(index)?.1)));
        text.family(&counter(name), "counter", help, counts);
    }
}

/// A counter's name by the conventions: its unit last but one.
fn counter(name: &str) -> String {
    match name.strip_prefix("bytes_") {
        Some(of) => format!("{of}_bytes_total"),
        None => format!("{name}_total"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_their_unit_where_the_conventions_want_it() {
        assert_eq!(counter("bytes_sent"), "sent_bytes_total");
        assert_eq!(counter("hello_sent"), "hello_sent_total");
    }
}
