//! Stories of the control API: every route, asked as a script would.
#![cfg(feature = "cli")]

#[path = "common/cluster.rs"]
mod cluster;

use cluster::{Cluster, Node, PATIENCE, eventually};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;

/// An answer: its status, its head in lower case, its body.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    fn lines(&self) -> Vec<Value> {
        self.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let line = self.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.map(str::trim)
    }
}

fn ask(node: &Node, request: &str, headers: &str, body: &[u8]) -> Answer {
    let mut stream = UnixStream::connect(node.ready["control_socket"].as_str().unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!("{request} HTTP/1.0\r\nHost: localhost\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).unwrap();
    // A server that refuses a body need not read it.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

fn get(node: &Node, path: &str) -> Answer {
    ask(node, &format!("GET /api/v1{path}"), "", b"")
}

/// What a GET that must succeed answers.
fn got(node: &Node, path: &str) -> Value {
    let answer = get(node, path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.json()
}

const JSON: &str = "Content-Type: application/json\r\n";
const LINES: &str = "Content-Type: application/x-ndjson\r\n";

fn say(node: &Node, text: &str, headers: &str) -> Answer {
    let body = serde_json::to_vec(&json!({ "msg": text })).unwrap();
    ask(node, "POST /api/v1/gossip", &format!("{JSON}{headers}"), &body)
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|gossip| gossip["msg"].as_str().unwrap().to_owned()).collect()
}

fn batch(node: &Node, texts: impl Iterator<Item = String>) -> Vec<Value> {
    let lines: String = texts.map(|text| format!("{}\n", json!({ "msg": text }))).collect();
    let answer = ask(node, "POST /api/v1/gossip/batch", LINES, lines.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.lines()
}

// ---- records ----

#[test]
fn lists_are_paged_from_either_end_by_what_the_answer_says() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    batch(node, (0..10).map(|number| format!("number {number}")));
    let all: Vec<String> = (0..10).map(|number| format!("number {number}")).collect();
    assert_eq!(texts(&got(node, "/gossip")), all, "without an order all is as ever");
    for (order, backwards) in [("newest", true), ("oldest", false)] {
        let (mut seen, mut path) = (Vec::new(), format!("/gossip?limit=4&order={order}&who=n1"));
        loop {
            let page = get(node, &path);
            seen.extend(texts(&page.json()));
            let Some(link) = page.header("link") else {
                assert!(page.header("gossip-cursor").is_none());
                break;
            };
            let (next, relation) = link.strip_prefix("</api/v1").unwrap().split_once('>').unwrap();
            assert_eq!(relation, "; rel=\"next\"");
            assert!(next.ends_with(&format!("&cursor={}", page.header("gossip-cursor").unwrap())), "{next}");
            path = next.to_owned();
        }
        if backwards {
            seen.reverse();
        }
        assert_eq!(seen, all, "{order}");
    }
    let list = got(node, "/gossip");
    let (since, until) = (&list[3]["date_time"].as_str().unwrap(), &list[5]["date_time"].as_str().unwrap());
    assert_eq!(texts(&got(node, &format!("/gossip?since={since}&until={until}"))), all[3..=5]);
    for wrong in [
        "order=upwards",
        "order=newest&limit=0",
        "order=newest&limit=1001",
        "order=newest&cursor=x",
        "cursor=1.43c54ed2-0173-8495-93c7-8a8c49826092",
        "order=newest&q=x&cursor=1.43c54ed2-0173-8495-93c7-8a8c49826092",
        "order=newest&cursor=7",
        "until=yesterday",
        "limit=-1",
        "form=all",
    ] {
        let answer = get(node, &format!("/gossip?{wrong}"));
        assert_eq!((answer.status, answer.json()["status"].as_u64()), (400, Some(400)), "{wrong}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
}

#[test]
fn words_are_found_and_it_is_said_how_far_the_index_is() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    batch(node, ["The printer is out of paper", "Paper is here", "Ärger im Büro"].map(str::to_owned).into_iter());
    eventually("all is in the index", || {
        let answer = get(node, "/gossip?q=paper");
        answer.header("gossip-indexed") == Some("3/3") && answer.json().as_array().unwrap().len() == 2
    });
    assert_eq!(texts(&got(node, "/gossip?q=paper+print*")), ["The printer is out of paper"]);
    assert_eq!(texts(&got(node, "/gossip?q=%22paper+is%22")), ["Paper is here"]);
    assert_eq!(texts(&got(node, "/gossip?q=arger+buro")), ["Ärger im Büro"]);
    let page = get(node, "/gossip?q=paper&order=newest&limit=1");
    assert_eq!(texts(&page.json()), ["Paper is here"]);
    let next =
        got(node, &format!("/gossip?q=paper&order=newest&limit=1&cursor={}", page.header("gossip-cursor").unwrap()));
    assert_eq!(texts(&next), ["The printer is out of paper"]);
    for strange in ["%22", "((", "NEAR(", "a:b", "*", "-", "%00", "AND+OR", "%F0%9F%95%8A"] {
        assert_eq!(texts(&got(node, &format!("/gossip?q={strange}"))), Vec::<String>::new(), "{strange}");
    }
    let text = String::from_utf8(node.output(["list", "--search", "print*"])).unwrap();
    assert!(text.contains("out of paper") && text.lines().count() == 1, "{text}");
}

#[test]
fn a_batch_answers_line_by_line_and_is_one_commit() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    let lines = "{\"msg\":\"one\"}\n\n{\"msg\":\"\"}\n{\"msg\":\"two\",\"who_name\":\"dove\"}\nnonsense\n{\"msg\":\"x\",\"form\":1}\n{\"msg\":\"three\"}";
    let answer = ask(node, "POST /api/v1/gossip/batch", LINES, lines.as_bytes());
    let outcomes = answer.lines();
    let told: Vec<(u64, u64)> =
        outcomes.iter().map(|one| (one["line"].as_u64().unwrap(), one["status"].as_u64().unwrap())).collect();
    assert_eq!(told, [(1, 201), (3, 400), (4, 201), (5, 400), (6, 400), (7, 201)]);
    assert!(outcomes.iter().all(|one| one["guid"].is_string() != one["detail"].is_string()), "{outcomes:?}");
    let list = got(node, "/gossip");
    assert_eq!(texts(&list), ["one", "two", "three"]);
    assert_eq!(list[1]["who_name"], "dove");
    let many: String = (0..4097).map(|_| "{\"msg\":\"x\"}\n").collect();
    assert_eq!(ask(node, "POST /api/v1/gossip/batch", LINES, many.as_bytes()).status, 413);
    let nonsense = "x\n".repeat(4097);
    assert_eq!(ask(node, "POST /api/v1/gossip/batch", LINES, nonsense.as_bytes()).status, 413, "lines are counted");
    let named = format!("{LINES}Idempotency-Key: a\r\n");
    assert_eq!(ask(node, "POST /api/v1/gossip/batch", &named, b"{\"msg\":\"x\"}").status, 400);
    assert_eq!(batch(node, (0..4096).map(|number| number.to_string())).len(), 4096);
    assert_eq!(node.holds().0, 4099);
}

#[test]
fn a_named_request_creates_one_record_however_often_it_comes() {
    let mut cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    let key = "Idempotency-Key: 5f0c\r\n";
    let first = say(node, "hello", key);
    assert_eq!(first.status, 201, "{}", first.body);
    let again = say(node, "hello", key);
    assert_eq!((again.status, again.json()), (200, first.json()));
    let other = say(node, "hello!", key);
    assert_eq!((other.status, other.json()["title"].as_str()), (422, Some("another request")));
    assert_eq!(say(node, "hello", "Idempotency-Key: 5f0d\r\n").status, 201);
    let raw = |who: &str| {
        let headers = format!("Content-Type: application/octet-stream\r\n{key}");
        ask(node, &format!("PUT /api/v1/gossip/raw?who_name={who}"), &headers, b"hello").status
    };
    assert_eq!(raw("dove"), 422, "who says it is part of what is said");
    for wrong in
        ["Idempotency-Key: \r\n".into(), format!("Idempotency-Key: {}\r\n", "x".repeat(129)), format!("{key}{key}")]
    {
        assert_eq!(say(node, "hello", &wrong).status, 400, "{wrong}");
    }
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let tries: Vec<_> =
            (0..8).map(|_| scope.spawn(|| say(node, "at once", "Idempotency-Key: b\r\n").status)).collect();
        tries.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|&&status| status == 201).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 201, 409].contains(status)), "{statuses:?}");
    assert_eq!(node.holds().0, 3);
    cluster.nodes[0].kill();
    cluster.nodes[0].start();
    let node = &cluster.nodes[0];
    let after = say(node, "hello", key);
    assert_eq!((after.status, after.json()["guid"].clone()), (200, first.json()["guid"].clone()));
    assert_eq!(node.holds().0, 3);
}

/// A record as it may be brought elsewhere.
fn exported(node: &Node, guid: &str) -> Value {
    let mut record = got(node, &format!("/gossip/{guid}"));
    let keep = ["guid", "date_time", "origin", "who_name", "sha2", "len", "msg"];
    record.as_object_mut().unwrap().retain(|key, _| keep.contains(&key.as_str()));
    record["kind"] = "message".into();
    record
}

#[test]
fn records_are_brought_from_elsewhere_and_spread() {
    let cluster = Cluster::of_strangers(3);
    let [one, two, three] = &cluster.nodes[..] else { panic!("three") };
    let guids = [one.add("hello"), one.add_stdin(&cluster::random_text(7, 300_000)), one.add("bye")];
    let records: Vec<Value> = guids.iter().map(|guid| exported(one, guid)).collect();
    let mut changed = records[0].clone();
    changed["msg"] = "hullo".into();
    let lines =
        [&records[0], &records[1], &changed, &records[2], &records[0]].map(|record| format!("{record}\n")).concat();
    let import = || ask(two, "POST /api/v1/gossip/import", LINES, lines.as_bytes());
    let statuses = |answer: Answer| {
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/x-ndjson")));
        answer.lines().iter().map(|one| one["status"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let first = statuses(import());
    assert_eq!(first[..4], [201, 201, 400, 201]);
    // What stands twice is new both times where it comes at once, and known by then where it comes later.
    assert!(first.len() == 5 && [200, 201].contains(&first[4]), "{first:?}");
    assert_eq!(statuses(import()), [200, 200, 400, 200, 200]);
    assert_eq!(two.holds(), one.holds());
    assert_eq!(got(two, &format!("/gossip/{}", guids[0]))["origin"], one.ready["node_guid"]);
    three.register(two);
    three.wait(&["--gossip", "3", "--in-sync"]);
    assert_eq!(three.holds(), one.holds());
    // What is created here is later than now, whatever was brought from elsewhere.
    let guid = two.add("afterwards");
    assert!(got(two, &format!("/gossip/{guid}"))["date_time"].as_str().unwrap() < "2200");
    assert_eq!(ask(two, "POST /api/v1/gossip/import?network=elsewhere", LINES, b"").status, 404);
    let nonsense = ask(two, "POST /api/v1/gossip/import", LINES, b"{\"guid\":7}\n\n\n{}");
    assert_eq!(statuses(nonsense), [400, 400]);
}

#[test]
fn who_waits_for_holders_takes_no_room_from_others() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    // None says how long its body is, so each takes the room of the longest, of which there is eight times.
    let waiting = (0..9).map(|number| {
        let mut stream = UnixStream::connect(node.ready["control_socket"].as_str().unwrap()).unwrap();
        let line = "PUT /api/v1/gossip/raw?wait=1&timeout_ms=3600000 HTTP/1.1\r\nHost: localhost\r\n";
        let head = "Content-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n";
        write!(stream, "{line}{head}\r\n1\r\n{number}\r\n0\r\n\r\n").unwrap();
        stream
    });
    let _waiting: Vec<UnixStream> = waiting.collect();
    eventually("all are on disk", || node.holds().0 == 9);
}

#[test]
fn holders_are_named_with_how_soon_they_held_it() {
    let cluster = Cluster::of(3);
    let node = &cluster.nodes[0];
    let created = node.json(["add", "hello", "--wait", "all", "--timeout", "90s"]);
    let holders = got(node, &format!("/gossip/{}/holders", created["guid"].as_str().unwrap()));
    assert_eq!((&holders["known"], &holders["reachable"], &holders["guid"]), (&2.into(), &2.into(), &created["guid"]));
    let names: BTreeSet<&str> =
        holders["holders"].as_array().unwrap().iter().map(|holder| holder["name"].as_str().unwrap()).collect();
    assert_eq!(names, BTreeSet::from(["n2", "n3"]));
    let times: Vec<f64> =
        holders["holders"].as_array().unwrap().iter().filter_map(|holder| holder["after_ms"].as_f64()).collect();
    assert!(times.iter().all(|&after| (0.0..1000.0).contains(&after)), "{holders}");
    assert_eq!(holders["last_after_ms"].as_f64(), times.iter().copied().max_by(f64::total_cmp), "{holders}");
    assert_eq!(get(node, "/gossip/000000/holders").status, 404);
}

// ---- peers ----

#[test]
fn a_peer_is_shown_pinged_and_forgotten() {
    let mut cluster = Cluster::of(2);
    let node = &cluster.nodes[0];
    let guid = cluster.nodes[1].ready["node_guid"].as_str().unwrap().to_owned();
    let peer = got(node, &format!("/peers/{guid}"));
    assert_eq!((&peer["name"], &peer["protocol_version"]), (&"n2".into(), &1.into()));
    let place = peer["place"].as_f64().unwrap();
    assert!((0.0..1.0).contains(&place) && place != got(node, "/network")["place"].as_f64().unwrap(), "{peer}");
    assert!(peer["since"].is_string() && peer["incarnation"].as_u64().unwrap() > 0, "{peer}");
    let pong = ask(node, "POST /api/v1/peers/n2/ping", "", b"");
    assert_eq!((pong.status, &pong.json()["guid"]), (200, &guid.clone().into()), "{}", pong.body);
    assert!((0.0..2000.0).contains(&pong.json()["rtt_ms"].as_f64().unwrap()));
    let sized = ask(node, "POST /api/v1/peers/n2/ping?size=1472&timeout_ms=5000", "", b"");
    assert_eq!((sized.status, &sized.json()["size"]), (200, &1472.into()), "{}", sized.body);
    assert_eq!(ask(node, "POST /api/v1/peers/n2/ping?size=1473", "", b"").status, 400);
    let refused = ask(node, "DELETE /api/v1/peers/n2", "", b"");
    assert_eq!((refused.status, refused.json()["hint"].is_string()), (409, true), "{}", refused.body);

    cluster.nodes[1].kill();
    let node = &cluster.nodes[0];
    eventually("its death is known", || got(node, "/peers/n2")["reach"] == "unreachable");
    assert_eq!(ask(node, "POST /api/v1/peers/n2/ping", "", b"").status, 504);
    assert_eq!(ask(node, &format!("DELETE /api/v1/peers/{guid}"), "", b"").status, 204);
    for request in ["GET /api/v1/peers/n2", "POST /api/v1/peers/n2/ping", "DELETE /api/v1/peers/n2"] {
        assert_eq!(ask(node, request, "", b"").status, 404, "{request}");
    }
    cluster.nodes[0].stop("TERM");
    cluster.nodes[0].start_again();
    assert_eq!(got(&cluster.nodes[0], "/peers"), json!([]), "nor does the disk remember it");
    cluster.nodes[1].start_again();
    cluster.nodes[1].register(&cluster.nodes[0]);
    assert_eq!(got(&cluster.nodes[0], "/peers/n2")["reach"], "reachable");
}

// ---- the node ----

#[test]
fn one_that_is_asked_to_leave_says_who_heard_and_ends_as_after_a_signal() {
    for (query, reason) in [("", "it said goodbye"), ("?restarting=true", "it said that it is restarting")] {
        let mut cluster = Cluster::of(2);
        let left = ask(&cluster.nodes[0], &format!("POST /api/v1/leave{query}"), "", b"");
        assert_eq!((left.status, left.json()), (200, json!({"told": 1, "heard": 1})), "{}", left.body);
        assert!(cluster.nodes[0].ended().success());
        eventually("its goodbye is known", || got(&cluster.nodes[1], "/peers/n1")["reach"] == "left");
        assert_eq!(got(&cluster.nodes[1], "/peers/n1")["reason"], reason);
    }
}

#[test]
fn settings_say_where_they_come_from_and_no_secret() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    let answer = get(node, "/config");
    let file: Value = serde_json::from_slice(&std::fs::read(node.home.join("server.json")).unwrap()).unwrap();
    let key = file["networks"][0]["network_key"].as_str().unwrap();
    assert!(key.len() == 64 && !answer.body.contains(key), "{}", answer.body);
    let settings = answer.json();
    let all = settings["values"].as_array().unwrap();
    let of = |key: &str| all.iter().find(|setting| setting["key"] == key).unwrap_or_else(|| panic!("no {key}"));
    let port: u64 = node.address().rsplit_once(':').unwrap().1.parse().unwrap();
    for (key, value, origin) in [
        ("node_name", json!("n1"), "file"),
        ("port", json!(port), "runtime"),
        ("networks.0.network_key", json!("(secret)"), "file"),
        ("timing.suspicion", json!("2s"), "profile"),
        ("log", json!("info"), "default"),
    ] {
        assert_eq!((&of(key)["value"], &of(key)["origin"]), (&value, &origin.into()), "{key}");
    }
}

#[test]
fn the_log_is_told_from_where_somebody_stands() {
    let mut cluster = Cluster::of_strangers(1);
    cluster.nodes[0].stop("TERM");
    cluster.nodes[0].command(["init", "--set", "seeds=[\"nowhere.invalid:6884\"]"]).assert().success();
    cluster.nodes[0].start();
    let node = &cluster.nodes[0];
    eventually("the seed is not found", || !got(node, "/log?level=warn")["lines"].as_array().unwrap().is_empty());
    let log = got(node, "/log");
    let lines = log["lines"].as_array().unwrap();
    assert_eq!(lines.last().unwrap()["seq"], log["next"]);
    assert!(lines.iter().any(|line| line["text"].as_str().unwrap().contains("nowhere.invalid")), "{log}");
    assert_eq!(got(node, &format!("/log?after={}", log["next"]))["lines"], json!([]));
    for wrong in ["level=loud", "after=-1", "form=all"] {
        assert_eq!(get(node, &format!("/log?{wrong}")).status, 400, "{wrong}");
    }
}

/// All families of `/metrics`: a name that disappears breaks somebody's alarms.
const FAMILIES: &[&str] = &[
    "answers_dropped_total",
    "build_info",
    "challenge_sent_total",
    "challenge_suppressed_total",
    "datagrams_received_total",
    "datagrams_rejected_total",
    "datagrams_sent_total",
    "datagrams_unsent_total",
    "did_you_here_received_total",
    "did_you_here_sent_total",
    "differences_found_total",
    "digests_decoded_total",
    "digests_paged_total",
    "digests_restarted_total",
    "fragments_received_total",
    "fragments_unwanted_total",
    "heard_sent_total",
    "hello_for_sent_total",
    "hello_sent_total",
    "holding_sent_total",
    "index_rows",
    "peers",
    "peers_in_sync",
    "pieces_wrong_total",
    "received_bytes_total",
    "records",
    "records_bytes",
    "records_expired_total",
    "records_forgotten_total",
    "records_left_total",
    "records_incomplete",
    "records_received_duplicate_total",
    "records_received_new_total",
    "records_wrong_total",
    "register_sent_total",
    "requests_repeated_total",
    "rumor_sent_total",
    "rumors_repeated_total",
    "sent_bytes_total",
    "sessions_opened_total",
    "start_time_seconds",
    "store_queued_bytes",
    "store_refuses",
    "store_rows",
    "symbols_sent_total",
    "tell_me_more_sent_total",
    "tell_sent_total",
];

#[test]
fn metrics_are_as_prometheus_wants_them_and_have_no_text_of_strangers() {
    let cluster = Cluster::of(2);
    let node = &cluster.nodes[0];
    node.add("secret text");
    cluster.agree_on(1);
    let answer = ask(node, "GET /metrics", "", b"");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/plain; version=0.0.4; charset=utf-8")));
    let (mut kinds, mut values) = (BTreeMap::new(), BTreeMap::new());
    for line in answer.body.lines() {
        match line.strip_prefix("# ").map(|line| line.split(' ').collect::<Vec<_>>()) {
            Some(words) if words[0] == "TYPE" => drop(kinds.insert(words[1].to_owned(), words[2].to_owned())),
            Some(words) => assert!(words[0] == "HELP" && words.len() > 2, "{line}"),
            None => {
                let (name, value) = line.rsplit_once(' ').unwrap();
                assert!(values.insert(name.to_owned(), value.parse::<u64>().unwrap()).is_none(), "{line} comes twice");
                let family = name.split('{').next().unwrap();
                let kind = kinds.get(family).unwrap_or_else(|| panic!("{line} has no type"));
                assert_eq!(kind == "counter", family.ends_with("_total"), "{line}");
            }
        }
    }
    let families: BTreeSet<&str> = kinds.keys().map(|name| name.strip_prefix("gossip_node_").unwrap()).collect();
    assert_eq!(families, BTreeSet::from_iter(FAMILIES.iter().copied()));
    assert_eq!(values["gossip_node_records{network=\"0\"}"], 1);
    assert_eq!(values["gossip_node_peers{network=\"0\",reach=\"reachable\"}"], 1);
    assert_eq!(values["gossip_node_datagrams_rejected_total{network=\"0\",cause=\"tag\"}"], 0);
    assert!(values["gossip_node_sent_bytes_total{network=\"0\"}"] > 0);
    for text in ["secret text", "n1", "n2", cluster::NETWORK] {
        assert!(!answer.body.contains(&format!("\"{text}")), "{text}");
    }
}

/// The routes, by path: what is described is what there is.
#[test]
fn what_is_described_is_what_is_there_and_the_other_way_round() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    let answer = ask(node, "GET /api/openapi.json", "", b"");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let document = answer.json();
    let described: BTreeMap<String, BTreeSet<String>> = (document["paths"].as_object().unwrap().iter())
        .map(|(path, item)| (path.clone(), item.as_object().unwrap().keys().map(|key| key.to_uppercase()).collect()))
        .collect();
    assert!(described.len() > 20, "{described:?}");
    // A method that a path does not have is answered with those that it has.
    for (path, methods) in &described {
        let other = ["DELETE", "PUT", "POST", "GET"].into_iter().find(|method| !methods.contains(*method)).unwrap();
        let answer = ask(node, &format!("{other} {}", path.replace(['{', '}'], "")), "", b"");
        assert_eq!(answer.status, 405, "{other} {path}: {}", answer.body);
        let allowed = answer.header("allow").unwrap_or_else(|| panic!("{path}: {}", answer.head)).to_uppercase();
        let allowed = allowed.split(',').map(str::trim).filter(|method| *method != "HEAD").map(str::to_owned).collect();
        assert_eq!(*methods, allowed, "{path}");
    }
    // What somebody relies on is there.
    for (path, method) in [
        ("/gossip", "GET"),
        ("/gossip", "POST"),
        ("/gossip/raw", "PUT"),
        ("/gossip/batch", "POST"),
        ("/gossip/import", "POST"),
        ("/gossip/{guid}", "GET"),
        ("/gossip/{guid}/msg", "GET"),
        ("/gossip/{guid}/holders", "GET"),
        ("/peers", "GET"),
        ("/peers/{peer}", "GET"),
        ("/peers/{peer}", "DELETE"),
        ("/peers/{peer}/ping", "POST"),
        ("/peers/{peer}/explain", "GET"),
        ("/register", "POST"),
        ("/keys", "GET"),
        ("/keys", "POST"),
        ("/keys/{key_id}/use", "POST"),
        ("/keys/{key_id}", "DELETE"),
        ("/retention", "GET"),
        ("/retention", "PUT"),
        ("/forget", "POST"),
        ("/node", "GET"),
        ("/network", "GET"),
        ("/status", "GET"),
        ("/status/network", "GET"),
        ("/status/gossip", "GET"),
        ("/config", "GET"),
        ("/log", "GET"),
        ("/log/level", "GET"),
        ("/log/level", "PUT"),
        ("/reload", "POST"),
        ("/leave", "POST"),
        ("/wait", "GET"),
        ("/events", "GET"),
        ("/demo", "GET"),
        ("/demo", "PUT"),
    ] {
        assert!(described[&format!("/api/v1{path}")].contains(method), "{method} {path}");
    }
    assert!(described["/metrics"].contains("GET"));
    for name in ["Event", "Problem", "Gossip", "Peer", "Metrics", "Exported", "Outcome", "Created", "HeldBy"] {
        assert!(document["components"]["schemas"][name].is_object(), "{name}");
    }
    // No path of the API is without its description.
    let source = |path| std::fs::read_to_string(format!("{}/src/http/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    assert_eq!(source("routes.rs").matches(".route(").count(), described.len());
    assert_eq!(source("openapi.rs").matches(".route(").count(), 1);
}

// ---- events ----

/// A raw request for events, read one by one.
struct Live(BufReader<UnixStream>);

impl Live {
    fn of(node: &Node, query: &str) -> Live {
        let mut stream = UnixStream::connect(node.ready["control_socket"].as_str().unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET /api/v1/events{query} HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
        Live(BufReader::new(stream))
    }

    fn next(&mut self) -> Value {
        loop {
            let mut line = String::new();
            assert_ne!(self.0.read_line(&mut line).unwrap(), 0, "the stream ended");
            if let Some(data) = line.strip_prefix("data: ") {
                return serde_json::from_str(data).unwrap();
            }
        }
    }

    /// The next event of a kind.
    fn of_kind(&mut self, kind: &str) -> Value {
        loop {
            let event = self.next();
            if event["event"] == kind {
                return event;
            }
        }
    }
}

#[test]
fn who_looks_sees_what_happens_at_every_moment() {
    let cluster = Cluster::of(2);
    let [one, two] = &cluster.nodes[..] else { panic!("two") };
    let mut live = Live::of(two, "");
    assert_eq!(live.next()["event"], "snapshot");
    let metrics = live.of_kind("metrics");
    assert_eq!((&metrics["known_peers"], &metrics["reachable_peers"]), (&1.into(), &1.into()));
    let guid = one.add_stdin(&cluster::random_text(5, 3 << 20));
    let (mut last, mut told) = (0, 0);
    loop {
        let fetch = live.of_kind("fetch");
        assert_eq!((&fetch["guid"], &fetch["len"]), (&guid.clone().into(), &(3 << 20).into()));
        let received = fetch["received"].as_u64().unwrap();
        assert!(received >= last, "{fetch}");
        (last, told) = (received, told + 1);
        if received == 3 << 20 {
            break;
        }
    }
    assert!(told >= 1);
    two.wait(&["--gossip", "1"]);
    let mut live = Live::of(two, "?kinds=traffic,metrics");
    assert_eq!(live.next()["event"], "snapshot");
    one.add("short");
    let mut heard = 0;
    while heard == 0 {
        let traffic = live.of_kind("traffic");
        let spans = traffic["spans"].as_array().unwrap();
        assert!(spans.iter().all(|span| span["peer"] == one.ready["node_guid"]), "{traffic}");
        heard += spans.iter().map(|span| span["rumors_in"].as_u64().unwrap()).sum::<u64>();
    }
    while live.of_kind("metrics")["gossip_count"] != 2 {}
    let mut live = Live::of(two, "?kinds=gossip");
    assert_eq!(live.next()["event"], "snapshot");
    let guid = one.add("only this");
    assert_eq!(live.next()["guid"], guid, "nothing else was asked for");
}

#[test]
fn who_is_far_behind_skips_to_the_newest_if_it_wants_to() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    batch(node, (0..1500).map(|number| number.to_string()));
    let mut skips = Live::of(node, "?from=all&backlog=skip&kinds=gossip");
    let (snapshot, reset) = (skips.next(), skips.next());
    assert_eq!((&snapshot["event"], &reset["event"]), (&"snapshot".into(), &"reset".into()));
    assert_eq!((&reset["of"], &reset["skipped"]), (&"gossip".into(), &1500.into()));
    assert_eq!(skips.next()["event"], "snapshot");
    let mut keeps = Live::of(node, "?from=all");
    assert_eq!(keeps.next()["event"], "snapshot");
    for number in 0..1500 {
        assert_eq!(keeps.next()["msg"], number.to_string());
    }
    let guid = node.add("the next");
    assert_eq!((&skips.next()["guid"], &keeps.next()["guid"]), (&guid.clone().into(), &guid.into()));
}
