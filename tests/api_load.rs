//! How fast the control API answers while somebody asks a lot, measured. Both are ignored by default, since a busy host
//! would make them fail for nothing: `cargo test --release --test api_load -- --ignored --nocapture --test-threads 1`.
#![cfg(feature = "cli")]
#![expect(clippy::disallowed_methods, reason = "how long answers take is what is measured")]

#[path = "common/cluster.rs"]
mod cluster;

use cluster::{Cluster, Node, PATIENCE, block_on, eventually};
use serde_json::json;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// Records stored.
const STORED: usize = 100_000;
/// Requests a second, and for how long.
const RATE: u32 = 1000;
const SPAN: Duration = Duration::from_secs(20);
/// Connections that are kept open and asked by turns.
const CONNECTIONS: usize = 32;

/// Fills a node with short texts.
fn fill(node: &Node, count: usize) {
    for first in (0..count).step_by(4096) {
        let texts = (first..count.min(first + 4096)).map(|number| format!("message number {number} of many"));
        let lines: String = texts.map(|text| format!("{}\n", json!({ "msg": text }))).collect();
        let head = "POST /api/v1/gossip/batch HTTP/1.0\r\nHost: x\r\nContent-Type: application/x-ndjson";
        let (status, answer) =
            node.http(format!("{head}\r\nContent-Length: {}\r\n\r\n{lines}", lines.len()).as_bytes());
        assert_eq!(status, 200, "{answer}");
    }
    node.wait(&["--gossip", &count.to_string()]);
}

/// One kept connection.
struct Connection {
    stream: UnixStream,
    buffer: Vec<u8>,
}

impl Connection {
    fn to(node: &Node) -> Connection {
        let stream = UnixStream::connect(node.ready["control_socket"].as_str().unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Connection { stream, buffer: Vec::new() }
    }

    /// Asks, and reads the whole answer.
    fn get(&mut self, path: &str) -> usize {
        write!(self.stream, "GET /api/v1{path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        self.buffer.clear();
        loop {
            let mut part = [0; 16 << 10];
            let read = self.stream.read(&mut part).unwrap();
            assert_ne!(read, 0, "the connection ended");
            self.buffer.extend_from_slice(&part[..read]);
            let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(&self.buffer[..end]).to_ascii_lowercase();
            assert!(head.starts_with("http/1.1 200"), "{path}: {head}");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if self.buffer.len() >= end + 4 + length.parse::<usize>().unwrap() {
                return self.buffer.len();
            }
        }
    }
}

fn percentile(times: &mut [Duration], share: f64) -> Duration {
    times.sort();
    times[((times.len() - 1) as f64 * share) as usize]
}

#[test]
#[ignore = "a measurement"]
fn a_thousand_requests_a_second_are_answered_within_20_ms() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    fill(node, STORED);
    let indexed = format!("{STORED}/{STORED}");
    eventually("all is in the index", || {
        let request = "GET /api/v1/gossip?q=number&order=newest&limit=1 HTTP/1.0\r\nHost: x\r\n\r\n";
        node.http(request.as_bytes()).1.to_ascii_lowercase().contains(&format!("gossip-indexed: {indexed}"))
    });
    let guid = &block_on(node.client().list(Default::default())).unwrap()[0].head.guid;
    let paths = [
        "/gossip?order=newest&limit=20".to_owned(),
        format!("/gossip/{guid}/msg"),
        "/gossip?order=oldest&limit=20".to_owned(),
        "/gossip?q=number+messag*&order=newest&limit=20".to_owned(),
        "/network".to_owned(),
        "/peers".to_owned(),
        "/status?limit=5".to_owned(),
        "/node".to_owned(),
    ];
    let gap = Duration::from_secs(1) * CONNECTIONS as u32 / RATE;
    let start = Instant::now() + Duration::from_millis(100);
    let mut all: Vec<Vec<(usize, Duration)>> = std::thread::scope(|scope| {
        let ask = |number: usize| {
            let (mut connection, paths) = (Connection::to(node), &paths);
            let mut times = Vec::new();
            // Each request has its moment; one that begins late because the last was slow is late from its moment on.
            let mut due = start + gap / CONNECTIONS as u32 * number as u32;
            let mut turn = number;
            while due < start + SPAN {
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                connection.get(&paths[turn % paths.len()]);
                times.push((turn % paths.len(), due.elapsed()));
                (due, turn) = (due + gap, turn + 1);
            }
            times
        };
        let asking: Vec<_> = (0..CONNECTIONS).map(|number| scope.spawn(move || ask(number))).collect();
        asking.into_iter().map(|one| one.join().unwrap()).collect()
    });
    for (index, path) in paths.iter().enumerate() {
        let mut times: Vec<Duration> =
            all.iter().flatten().filter(|(of, _)| *of == index).map(|(_, took)| *took).collect();
        let [p50, p99] = [0.5, 0.99].map(|share| percentile(&mut times, share));
        println!("{path:50} p50 {p50:>10.3?}  p99 {p99:>10.3?}  of {}", times.len());
    }
    let mut times: Vec<Duration> = all.iter_mut().flatten().map(|(_, took)| *took).collect();
    let [p50, p99, most] = [0.5, 0.99, 1.0].map(|share| percentile(&mut times, share));
    println!("all: {} requests in {SPAN:?}, p50 {p50:.3?}, p99 {p99:.3?}, at most {most:.3?}", times.len());
    assert!(times.len() as u32 >= RATE * SPAN.as_secs() as u32 * 99 / 100);
    assert!(p99 < Duration::from_millis(20), "{p99:?}");
}

#[test]
#[ignore = "a measurement"]
fn a_page_costs_the_same_wherever_it_is_among_a_million_records() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    let start = Instant::now();
    fill(node, 1_000_000);
    println!("a million records created in {:.1?}", start.elapsed());
    let mut connection = Connection::to(node);
    let oldest = block_on(node.client().list(gossip_node::api::ListQuery {
        order: Some(gossip_node::api::Order::Oldest),
        limit: Some(1),
        ..Default::default()
    }));
    let micros: u64 = oldest.unwrap()[0].head.date_time.parse::<jiff::Timestamp>().unwrap().as_microsecond() as u64;
    for (what, cursor) in
        [("the newest", String::new()), ("near the oldest", format!("&cursor={:x}.{}", micros + 5000, zero()))]
    {
        let mut times: Vec<Duration> = (0..200)
            .map(|_| {
                let start = Instant::now();
                connection.get(&format!("/gossip?order=newest&limit=50{cursor}"));
                start.elapsed()
            })
            .collect();
        let [p50, p99] = [0.5, 0.99].map(|share| percentile(&mut times, share));
        println!("a page of 50, {what}: p50 {p50:.3?}, p99 {p99:.3?}");
        assert!(p50 < Duration::from_millis(20), "{what}: {p50:?}");
    }
    let start = Instant::now();
    eventually("all is in the index", || {
        let request = "GET /api/v1/gossip?q=number&order=newest&limit=1 HTTP/1.0\r\nHost: x\r\n\r\n";
        node.http(request.as_bytes()).1.to_ascii_lowercase().contains("gossip-indexed: 1000000/1000000")
    });
    println!("all of them in the index {:.1?} later", start.elapsed());
    let mut times: Vec<Duration> = (0..200)
        .map(|number| {
            let start = Instant::now();
            connection.get(&format!("/gossip?q=number+{}&order=newest&limit=50", number * 4999));
            start.elapsed()
        })
        .collect();
    let [p50, p99] = [0.5, 0.99].map(|share| percentile(&mut times, share));
    println!("a search for one of them: p50 {p50:.3?}, p99 {p99:.3?}");
}

fn zero() -> String {
    "00000000-0000-0000-0000-000000000000".to_owned()
}
