//! The figures of a run as people read them.

use super::Outcome;
use super::picture::short;
use crate::display::{bytes, columns};
use crate::sim::scenario::{MedianMax, Report, Scenario};

type Row = Vec<String>;

/// The heading, a line a figure.
pub fn table(outcome: &Outcome) -> String {
    let report = &outcome.report;
    let mut rows = Vec::new();
    rows.extend(meeting(report));
    delivery(report, &mut rows);
    cost(report, &mut rows);
    rows.extend(idle(report));
    peers(report, &mut rows);
    split(report, &mut rows);
    maelstrom(report, &mut rows);
    rows.push(run(outcome));
    format!("{}\n{}", heading(report), columns(&rows))
}

fn heading(report: &Report) -> String {
    let [least, most] = report.latency_ms.map(short);
    let link = if least == most { format!("{least} ms") } else { format!("{least} to {most} ms") };
    format!(
        "{} nodes, links of {link}, {} % loss, records of {} bytes, seed {}\n",
        report.nodes,
        short(report.loss * 100.0),
        report.size,
        report.seed
    )
}

fn row(what: &str, figure: impl Into<String>, more: impl Into<String>) -> Row {
    vec![what.into(), figure.into(), more.into()]
}

fn known(figure: Option<f64>, unit: &str) -> String {
    figure.map_or_else(|| "never".into(), |figure| format!("{} {unit}", short(figure)))
}

fn median_max(figures: Option<MedianMax>, unit: &str) -> String {
    match figures {
        Some(MedianMax { median, max }) => format!("median {} {unit}, at most {} {unit}", short(median), short(max)),
        None => "not for all".into(),
    }
}

fn percent(share: f64) -> String {
    // Never rounded up to 100.
    let percent = (share * 1e5).floor() / 1e3;
    if percent == 100.0 { "100 %".into() } else { format!("{percent:.3} %") }
}

fn meeting(report: &Report) -> Option<Row> {
    if report.scenario != Scenario::Join {
        return None;
    }
    let datagrams = report.met_datagrams_a_node.map(|sent| format!("{} datagrams a node", short(sent)));
    Some(row("all met after", known(report.met_s, "s"), datagrams.unwrap_or_default()))
}

fn delivery(report: &Report, rows: &mut Vec<Row>) {
    let Some(delivery) = &report.delivery else { return };
    let ways = (percent(delivery.before_repair), percent(delivery.by_rumor));
    rows.push(row(
        "delivered",
        percent(delivery.delivered),
        format!("{} needed no repair, {} came as rumours", ways.0, ways.1),
    ));
    let times = [("p50", delivery.p50_ms), ("p99", delivery.p99_ms), ("last", delivery.last_ms)];
    let times: Vec<String> = times.iter().map(|(name, time)| format!("{name} {}", known(*time, "ms"))).collect();
    rows.push(row("time to a node", times.join(", "), ""));
    rows.push(row("time to all", median_max(delivery.everywhere_ms, "ms"), ""));
    if let Some(hops) = delivery.hops {
        rows.push(row("hops", format!("p50 {}, at most {}", hops.p50, hops.max), ""));
    }
}

fn cost(report: &Report, rows: &mut Vec<Row>) {
    let Some(cost) = &report.cost else { return };
    let duplicates = format!("{} came twice", short(cost.duplicates));
    rows.push(row("copies", format!("{} a node and record", short(cost.copies)), duplicates));
    let all = format!("{} a node in all, HELLO included", short(cost.datagrams_a_node));
    rows.push(row("datagrams", format!("{} a node and record", short(cost.datagrams)), all));
    let framed = format!("{} with IP and UDP", short(cost.bytes_ip_udp));
    rows.push(row("bytes", format!("{} a node and record", short(cost.bytes)), framed));
}

fn idle(report: &Report) -> Option<Row> {
    let idle = report.idle?;
    let figures = |datagrams, bytes| format!("{} datagrams, {} B a second", short(datagrams), short(bytes));
    let most = format!("the busiest node {}", figures(idle.most_datagrams, idle.most_bytes));
    Some(row("idle, a node", figures(idle.datagrams, idle.bytes), most))
}

fn peers(report: &Report, rows: &mut Vec<Row>) {
    if let Some(seen) = &report.detection {
        let known = format!("{} of {} known to all", seen.known, seen.crashed);
        rows.push(row("crash suspected after", median_max(seen.suspected_s, "s"), known));
        rows.push(row("held for dead after", median_max(seen.declared_s, "s"), ""));
        rows.push(row("known to all after", median_max(seen.known_s, "s"), ""));
    }
    if let Some(alarms) = report.alarms {
        let suspicions = format!("{} suspicions; in {} node-hours", short(alarms.suspicions), short(alarms.node_hours));
        rows.push(row("falsely held for dead", format!("{} a node-hour", short(alarms.declarations)), suspicions));
    }
}

fn split(report: &Report, rows: &mut Vec<Row>) {
    let Some(split) = &report.split else { return };
    rows.push(row("healed after", known(split.healed_s, "s"), format!("{} records were missing", split.missing)));
    rows.push(row("all met again after", known(split.reunited_s, "s"), ""));
    let datagrams = format!("{} datagrams a node", short(split.datagrams_a_node));
    rows.push(row("copies", format!("{} for each that was missing", short(split.copies)), datagrams));
}

fn maelstrom(report: &Report, rows: &mut Vec<Row>) {
    let Some(maelstrom) = &report.maelstrom else { return };
    let of_records = format!("{} without HELLO and the like", short(maelstrom.of_records_per_op));
    let messages = format!("{} an operation", short(maelstrom.messages_per_op));
    rows.push(row("messages", messages, format!("every datagram counts, reads are operations; {of_records}")));
    rows.push(row("records sent", format!("{} an operation", short(maelstrom.copies_per_op)), ""));
    rows.push(row("stable after", median_max(maelstrom.stable_ms, "ms"), ""));
}

fn run(outcome: &Outcome) -> Row {
    let (report, wall) = (&outcome.report, outcome.wall_s);
    let speed = report.events as f64 / wall.max(1e-9);
    let memory = outcome.memory_bytes_a_node.map(|size| format!("{} a node", bytes(size))).unwrap_or_default();
    let took = format!("{} s in {} s, {speed:.0} events a second", short(report.simulated_s), short(wall));
    row("simulated", took, memory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::scenario::{Plan, run};

    #[test]
    fn every_figure_that_is_known_has_a_line() {
        let mut plan = Plan::new(Scenario::Crash, 4);
        plan.records = 2;
        let report = run(&plan, &mut |_| {});
        let (peak_memory_bytes, memory_bytes_a_node) = (Some(1 << 20), Some(1 << 18));
        let shown = table(&Outcome { report, wall_s: 2.0, peak_memory_bytes, memory_bytes_a_node });
        for figure in ["4 nodes", "delivered", "p99", "copies", "datagrams", "bytes", "idle", "crash", "256.0 KiB"] {
            assert!(shown.contains(figure), "{figure}:\n{shown}");
        }
    }

    #[test]
    fn nothing_short_of_all_is_called_all() {
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(percent(0.999_999_9), "99.999 %");
        assert_eq!(percent(0.5), "50.000 %");
    }
}
