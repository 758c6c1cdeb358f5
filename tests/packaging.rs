//! What is in `packaging/` agrees with the program: the unit with its commands and how tightly it is shut, the package with
//! the files that it takes, ports with ports, and every metric that a dashboard or an alert names with a real scrape.
#![cfg(feature = "cli")]

#[path = "common/cluster.rs"]
mod cluster;

use cluster::{Cluster, PROGRAM};
use gossip_node::config::{DEFAULT_DISCOVERY_PORT, DEFAULT_PORT, LogFilter};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn packaging(name: &str) -> PathBuf {
    root().join("packaging").join(name)
}

fn read(name: &str) -> String {
    let path = packaging(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `[package.metadata.deb]`.
fn deb() -> Value {
    let cargo = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--no-deps"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&cargo.stdout).unwrap();
    metadata["packages"][0]["metadata"]["deb"].clone()
}

// ---- the unit ----

/// The values of a key of the unit.
fn unit(key: &str) -> Vec<String> {
    let lines = read("systemd/gossip-node.service");
    let values = lines.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=').map(str::to_owned));
    values.collect()
}

#[test]
fn the_unit_says_what_the_program_does() {
    for (key, args) in [("ExecStart", vec!["run"]), ("ExecReload", vec!["reload"])] {
        let value = unit(key).remove(0);
        let mut words = value.split(' ');
        assert_eq!(words.next(), Some("/usr/bin/gossip-node"), "{key}");
        let words: Vec<&str> = words.collect();
        assert_eq!(words[..1], args[..], "{key}");
        // With the same words and a home that there is not, it is the home that is wrong.
        let words = words.iter().map(|word| if word.starts_with('/') { "/nowhere/at/all" } else { word });
        let code = Command::new(PROGRAM).args(words).output().unwrap().status.code();
        assert!(matches!(code, Some(3 | 78)), "{key}: {code:?}");
    }
    let file = unit("EnvironmentFile").remove(0);
    let default = read(&format!("default/{}", file.rsplit('/').next().unwrap()));
    let help = Command::new(PROGRAM).args(["run", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for line in default.lines().filter_map(|line| line.strip_prefix('#')).filter(|line| line.starts_with("GOSSIP_NODE"))
    {
        let (name, value) = line.split_once('=').unwrap();
        let is_filter = name == "GOSSIP_NODE_LOG" && value.parse::<LogFilter>().is_ok();
        assert!(
            is_filter || name == "GOSSIP_NODE_LOG_FORMAT" && help.contains(&format!("- {value}")),
            "{line}\n{help}"
        );
    }
    assert_eq!(unit("RestartPreventExitStatus"), ["78"]);
    assert!(unit("Type") == ["notify"] && unit("WatchdogSec") == ["30"]);
}

#[test]
fn the_unit_is_shut_tightly() {
    let asked = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager"])
        .arg(packaging("systemd/gossip-node.service"))
        .output();
    let said = match asked {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).into_owned(),
        Ok(output) => panic!("systemd-analyze: {}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => return eprintln!("skipped: no systemd-analyze here ({error})"),
    };
    let overall = said.lines().find(|line| line.contains("Overall exposure level")).expect("it rates the unit");
    let rating: f64 = overall.split(':').nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap();
    assert!(rating <= 2.0, "{overall}");
    // What it does not rate, and a node needs.
    let families = unit("RestrictAddressFamilies").join(" ");
    assert!(["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"].iter().all(|family| families.contains(family)));
}

// ---- the package ----

#[test]
fn the_package_takes_files_that_there_are() {
    let (deb, script) = (deb(), read("deb"));
    let mut taken = BTreeSet::new();
    for asset in deb["assets"].as_array().expect("there are assets") {
        let (from, to) = (asset[0].as_str().unwrap(), asset[1].as_str().unwrap());
        taken.insert(to.to_owned());
        // What is built is made by `packaging/deb`, which stops where a part of it is missing.
        if from.starts_with("target/") {
            let made = from.rsplit('/').next().unwrap();
            let made = if made.contains('*') { "$made/man" } else { made };
            assert!(script.contains(made), "{from}: `packaging/deb` does not make it");
        } else {
            assert!(root().join(from).is_file(), "{from} is not there");
        }
    }
    for place in ["usr/bin/", "usr/share/man/man1/", "etc/default/", "etc/ufw/applications.d/"] {
        assert!(taken.contains(place), "{place}: {taken:?}");
    }
    for conffile in deb["conf-files"].as_array().unwrap() {
        let dir = conffile.as_str().unwrap().trim_start_matches('/').rsplit_once('/').unwrap().0.to_owned() + "/";
        assert!(taken.contains(&dir), "{conffile}");
    }
    let units = &deb["systemd-units"];
    assert!(root().join(units["unit-scripts"].as_str().unwrap()).join("gossip-node.service").is_file());
    for script in ["postinst", "prerm", "postrm"] {
        let text = read(&format!("debian/{script}"));
        assert!(text.starts_with("#!/bin/sh\nset -e\n") && text.contains("\n#DEBHELPER#\n"), "{script}");
    }
    for script in
        ["deb", "try-deb", "try-monitoring", "debian/try-service", "debian/postinst", "debian/postrm", "debian/prerm"]
    {
        let shell = Command::new("bash").arg("-n").arg(packaging(script)).status().unwrap();
        assert!(shell.success(), "{script}");
    }
}

#[test]
fn firewalls_let_in_what_nodes_use() {
    assert!(read("ufw/gossip-node").contains(&format!("\nports={DEFAULT_PORT}:{DEFAULT_DISCOVERY_PORT}/udp\n")));
    let xml = read("firewalld/gossip-node.xml");
    for port in [DEFAULT_PORT, DEFAULT_DISCOVERY_PORT] {
        assert!(xml.contains(&format!("<port protocol=\"udp\" port=\"{port}\"/>")), "{port}");
    }
    assert_eq!(DEFAULT_DISCOVERY_PORT, DEFAULT_PORT + 1, "or the range is another");
}

// ---- metrics ----

/// What a daemon answers to Prometheus: families, and the values of each label.
fn scrape() -> (BTreeSet<String>, BTreeMap<String, BTreeSet<String>>) {
    let cluster = Cluster::of_strangers(1);
    let (status, answer) = cluster.nodes[0].http(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n");
    assert_eq!(status, 200);
    let (mut families, mut labels) = (BTreeSet::new(), BTreeMap::<String, BTreeSet<String>>::new());
    for line in answer.split_once("\r\n\r\n").unwrap().1.lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = line.split_once(['{', ' ']).unwrap();
        families.insert(name.to_owned());
        for pair in rest.split_once('}').map_or("", |(pairs, _)| pairs).split(',').filter(|pair| !pair.is_empty()) {
            let (label, value) = pair.split_once('=').unwrap();
            labels.entry(label.to_owned()).or_default().insert(value.trim_matches('"').to_owned());
        }
    }
    (families, labels)
}

/// Every text below a key of this name.
fn all<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(object) => object.iter().for_each(|(name, value)| match value {
            Value::String(text) if name == key => found.push(text),
            value => all(value, key, found),
        }),
        Value::Array(list) => list.iter().for_each(|value| all(value, key, found)),
        _ => {}
    }
}

#[test]
fn every_metric_that_is_named_is_there() {
    let dashboard: Value = serde_json::from_str(&read("monitoring/grafana.json")).unwrap();
    let rules: Value = serde_saphyr::from_str(&read("monitoring/gossip-node.rules.yml")).unwrap();
    let mut expressions = Vec::new();
    all(&dashboard, "expr", &mut expressions);
    all(&dashboard, "query", &mut expressions);
    let panels = expressions.len();
    all(&rules, "expr", &mut expressions);
    assert!(panels > 25 && expressions.len() - panels >= 10, "{panels} and {} in all", expressions.len());

    let (families, labels) = scrape();
    let mut named = BTreeSet::new();
    for expression in &expressions {
        let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        named.extend(words.filter(|word| word.starts_with("gossip_node_")).map(str::to_owned));
        for label in ["reach", "cause"] {
            let begin = format!("{label}=\"");
            for value in expression.split(&begin).skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(labels[label].contains(value), "{label}={value}: {:?}", labels[label]);
            }
        }
    }
    let missing: Vec<&String> = named.difference(&families).collect();
    assert!(missing.is_empty(), "{missing:?} are in no scrape: {families:?}");
    assert!(named.len() > 20, "{named:?}");
}

#[test]
fn alerts_and_panels_are_told_apart_and_explained() {
    let rules: Value = serde_saphyr::from_str(&read("monitoring/gossip-node.rules.yml")).unwrap();
    let mut names = BTreeSet::new();
    for rule in rules["groups"][0]["rules"].as_array().unwrap() {
        assert!(names.insert(rule["alert"].as_str().unwrap()), "{}", rule["alert"]);
        for text in ["summary", "description"] {
            assert!(rule["annotations"][text].as_str().is_some_and(|text| !text.is_empty()), "{}", rule["alert"]);
        }
        assert!(matches!(rule["labels"]["severity"].as_str(), Some("info" | "warning" | "critical")));
    }
    let dashboard: Value = serde_json::from_str(&read("monitoring/grafana.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<i64> = panels.iter().map(|panel| panel["id"].as_i64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    let places: BTreeSet<(i64, i64)> = (panels.iter().map(|panel| &panel["gridPos"]))
        .map(|at| (at["x"].as_i64().unwrap(), at["y"].as_i64().unwrap()))
        .collect();
    assert_eq!(places.len(), panels.len(), "two panels stand in one place");
}
