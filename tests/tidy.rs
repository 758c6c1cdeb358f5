//! The house rules, checked: who may name whom, what the core must not touch, how long things may be, what every file
//! begins with, which licences we take in.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const LONGEST_FILE: usize = 400;
const LONGEST_FUNCTION: usize = 70;

/// Files longer than that, each with its reason and a bound of its own.
const LONGER: &[(&str, usize, &str)] = &[];

/// Which module may name which, beside `proto`, which all may name.
const LAYERS: &[(&str, &[&str])] = &[
    ("proto", &[]),
    ("effects", &[]),
    ("sim", &["effects"]),
    ("store", &[]),
    ("net", &[]),
    ("discovery", &["net"]),
    ("config", &[]),
    ("display", &[]),
    ("api", &["display"]),
    ("daemon", &["effects", "store", "net", "discovery", "config", "display", "api"]),
    ("embed", &["daemon", "store", "config", "api"]),
    ("client", &["api", "config"]),
    ("http", &["daemon", "api", "config", "display"]),
    ("cli", &["daemon", "http", "client", "config", "sim", "api", "net", "display", "probes"]),
    ("probes", &["effects", "net", "store"]),
    ("main", &["cli"]),
];

/// Parts of the core that know nothing of each other: `node` wires them.
const STRANGERS: &[&str] = &["peers", "ledger", "rumors", "repairs", "fetches"];

struct Source {
    path: String,
    text: String,
}

impl Source {
    /// What is compiled when nothing is tested: all before a file's own tests.
    fn shipped(&self) -> &str {
        self.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default()
    }

    /// The same without comments.
    fn code(&self) -> String {
        let uncommented = |line: &str| line.split("//").next().unwrap_or_default().to_owned() + "\n";
        self.shipped().lines().map(uncommented).collect()
    }

    /// `src/proto/wire/tests.rs` is in `["proto", "wire", "tests"]`.
    fn modules(&self) -> Vec<&str> {
        let inner = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        inner.split('/').collect()
    }

    fn is_in(&self, module: &str) -> bool {
        self.path == format!("src/{module}.rs") || self.path.starts_with(&format!("src/{module}/"))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() { walk(&path, found) } else { found.push(path) }
    }
}

/// Files of a directory by what their names end in.
fn files(dir: &str, end: &str) -> Vec<Source> {
    let mut found = Vec::new();
    walk(&root().join(dir), &mut found);
    found.sort();
    let wanted = found.into_iter().filter(|path| path.to_str().unwrap().ends_with(end));
    let source = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        Source { path: path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned(), text }
    };
    wanted.map(source).collect()
}

/// All of `src` that is compiled when nothing is tested.
fn shipped() -> Vec<Source> {
    let all = files("src", ".rs");
    let of_tests: BTreeSet<String> = all.iter().flat_map(tests_of).collect();
    all.into_iter().filter(|source| !of_tests.contains(&source.path)).collect()
}

/// The files of the modules that a file declares for tests alone.
fn tests_of(source: &Source) -> Vec<String> {
    let dir = source.path.trim_end_matches(".rs");
    let declared = source.text.split("#[cfg(test)]\n").skip(1);
    let name = |rest: &str| rest.lines().next()?.strip_prefix("mod ")?.strip_suffix(';').map(str::to_owned);
    declared.filter_map(name).map(|name| format!("{dir}/{name}.rs")).collect()
}

fn report(broken: &[String]) {
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

// ---- who names whom ----

/// Every path that is named behind `start`, `a::{b, c::d}` taken apart: `[a, b]` and `[a, c, d]`.
fn named(code: &str, start: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for (at, _) in code.match_indices(start) {
        let before = code[..at].chars().next_back();
        if before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':') {
            take_apart(&code[at + start.len()..], &[], &mut paths);
        }
    }
    paths
}

/// Reads one path or one group of them; returns what follows it.
fn take_apart<'a>(text: &'a str, before: &[String], paths: &mut Vec<Vec<String>>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = take_apart(rest, before, paths).trim_start();
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => return rest.strip_prefix('}').unwrap_or(rest),
            }
        }
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '*').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let path = [before, &[name.to_owned()]].concat();
    if let Some(more) = rest.strip_prefix("::")
        && !more.starts_with('<')
    {
        return take_apart(more, &path, paths);
    }
    if !name.is_empty() {
        paths.push(path);
    }
    match rest.trim_start().strip_prefix("as ") {
        Some(alias) => alias.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_'),
        None => rest,
    }
}

#[test]
fn paths_are_taken_apart() {
    let code = "use crate::proto::{a::{B, c}, d as e, f};\nlet x = crate::sim::G::<u8>::new(my_crate::h);";
    let found: Vec<String> = named(code, "crate::").iter().map(|path| path.join("::")).collect();
    assert_eq!(found, ["proto::a::B", "proto::a::c", "proto::d", "proto::f", "sim::G"]);
}

#[test]
fn every_module_names_only_those_below_it() {
    let layers: BTreeMap<&str, &[&str]> = LAYERS.iter().copied().collect();
    let mut broken = Vec::new();
    for source in shipped().iter().filter(|source| source.path != "src/lib.rs") {
        let module = source.modules()[0];
        let Some(below) = layers.get(module) else {
            broken.push(format!("{}: give the module {module} a place among the layers", source.path));
            continue;
        };
        let code = source.code();
        for path in named(&code, "crate::").into_iter().chain(named(&code, "gossip_node::")) {
            let name = path[0].as_str();
            if layers.contains_key(name) && name != module && name != "proto" && !below.contains(&name) {
                broken.push(format!("{}: {module} may not name {}", source.path, path.join("::")));
            }
            if module == "proto" && name != "proto" {
                broken.push(format!("{}: the core names {}", source.path, path.join("::")));
            }
            if module == "http" && path.starts_with(&["daemon".into(), "Daemon".into()]) {
                broken.push(format!("{}: a Handle is all that http needs of the daemon", source.path));
            }
        }
    }
    report(&broken);
}

#[test]
fn the_parts_of_the_core_do_not_know_each_other() {
    let mut broken = Vec::new();
    for source in shipped().iter().filter(|source| source.is_in("proto")) {
        let modules = source.modules();
        let (Some(&part), code) = (modules.get(1), source.code()) else { continue };
        for path in named(&code, "crate::proto::") {
            let name = path[0].as_str();
            if name != part && STRANGERS.contains(&part) && STRANGERS.contains(&name) {
                broken.push(format!("{}: {part} names {name}", source.path));
            }
            if part != "node" && name == "node" {
                broken.push(format!("{}: {part} names node, which names it", source.path));
            }
        }
        if modules.len() == 2 && code.contains("super::") {
            broken.push(format!("{}: write crate::proto:: so that layers can be seen", source.path));
        }
    }
    report(&broken);
}

#[test]
fn what_belongs_to_one_module_is_named_in_no_other() {
    let owned = [("bincode", "proto/wire"), ("rusqlite", "store"), ("axum", "http"), ("clap", "cli")];
    let mut broken = Vec::new();
    for source in shipped() {
        let code = source.code();
        for (krate, owner) in owned {
            let at_home = source.is_in(owner) || (owner == "cli" && source.path == "src/main.rs");
            if !at_home && (code.contains(&format!("{krate}::")) || code.contains(&format!("use {krate};"))) {
                broken.push(format!("{}: {krate} belongs to {owner}", source.path));
            }
        }
    }
    report(&broken);
}

#[test]
fn the_core_is_a_function_of_state_time_and_bytes() {
    let outside = [
        "Instant",
        "SystemTime",
        "tokio",
        "UdpSocket",
        "TcpStream",
        "std::fs",
        "std::thread",
        "std::env",
        "std::io",
        "std::process",
        "async ",
        "Mutex",
        "RwLock",
        "Atomic",
        "static mut",
        "thread_local",
        "OnceLock",
        "LazyLock",
        "HashMap",
        "HashSet",
        "rand::rng()",
        "ThreadRng",
        "SysRng",
        "println!",
        "eprintln!",
        "tracing",
    ];
    // Its order is its own secret.
    let allowed = |source: &Source, word: &str| source.is_in("proto/unordered") && word == "HashMap";
    let mut broken = Vec::new();
    for source in shipped().iter().filter(|source| source.is_in("proto") || source.is_in("effects")) {
        let code = source.code();
        let named = outside.iter().filter(|word| code.contains(**word) && !allowed(source, word));
        broken.extend(named.map(|word| format!("{}: names {word}", source.path)));
    }
    report(&broken);
}

// ---- what every file keeps to ----

#[test]
fn every_file_says_first_what_it_is_for() {
    let all = ["src", "tests", "benches", "examples", "fuzz"].into_iter().flat_map(|dir| files(dir, ".rs"));
    let broken: Vec<String> = all.filter(|source| !source.text.starts_with("//! ")).map(|source| source.path).collect();
    report(&broken);
}

#[test]
fn files_are_short() {
    let mut broken = Vec::new();
    for source in shipped() {
        let lines = source.shipped().lines().count();
        let exception = LONGER.iter().find(|(path, ..)| *path == source.path);
        if lines > exception.map_or(LONGEST_FILE, |(_, most, _)| *most) {
            broken.push(format!("{}: {lines} lines", source.path));
        }
        if exception.is_some() && lines <= LONGEST_FILE {
            broken.push(format!("{}: is no exception any more", source.path));
        }
    }
    report(&broken);
}

#[test]
fn functions_are_short() {
    let mut broken = Vec::new();
    for source in shipped() {
        let lines: Vec<&str> = source.shipped().lines().collect();
        for (first, line) in lines.iter().enumerate() {
            let body = line.trim_start();
            let words = body.split_whitespace().take_while(|word| !word.contains('('));
            if body.starts_with("//") || body.ends_with(';') || !words.into_iter().any(|word| word == "fn") {
                continue;
            }
            // The formatter closes a function where it began.
            let close = " ".repeat(line.len() - body.len()) + "}";
            let length = lines[first..].iter().position(|line| *line == close).unwrap_or_default() + 1;
            if length > LONGEST_FUNCTION {
                broken.push(format!("{}:{}: {length} lines", source.path, first + 1));
            }
        }
    }
    report(&broken);
}

#[test]
fn nothing_is_left_undone_and_no_error_is_waved_through() {
    // Put together here, so that this file may be searched like all others.
    let words = [[".unw", "rap()"], ["tod", "o!("], ["unimple", "mented!("], ["db", "g!("], ["FIX", "ME"]];
    let mut broken = Vec::new();
    for source in shipped() {
        for word in words.map(|halves| halves.concat()) {
            let lines = source.shipped().lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
            let found = lines.filter(|(_, line)| line.contains(&word));
            broken.extend(found.map(|(at, _)| format!("{}:{}: {word}", source.path, at + 1)));
        }
    }
    report(&broken);
}

#[test]
fn files_are_named_for_what_they_hold() {
    let all = ["src", "tests", "benches", "examples"].into_iter().flat_map(|dir| files(dir, ".rs"));
    let broken: Vec<String> = all
        .map(|source| source.path)
        .filter(|path| {
            ["mod.rs", "utils.rs", "util.rs", "helpers.rs", "misc.rs"].iter().any(|name| path.ends_with(name))
        })
        .collect();
    report(&broken);
}

#[test]
fn nothing_tells_where_it_was_made() {
    let words = [["/wo", "rk/"], ["hel", "per-"], ["/ro", "ot/"]].map(|halves| halves.concat());
    let dirs = ["src", "tests", "benches", "examples", "packaging", ".ci", ".github"];
    let mut all: Vec<Source> = dirs.into_iter().flat_map(|dir| files(dir, "")).collect();
    for name in ["Cargo.toml", "README.md", "deny.toml", "clippy.toml", "rustfmt.toml", "LICENSE"] {
        if let Ok(text) = fs::read_to_string(root().join(name)) {
            all.push(Source { path: name.to_owned(), text });
        }
    }
    let mut broken = Vec::new();
    for source in all {
        let found = words.iter().filter(|word| source.text.contains(*word));
        broken.extend(found.map(|word| format!("{}: {word}", source.path)));
    }
    report(&broken);
}

#[test]
fn the_crate_is_safe_and_small_at_the_door() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("unsafe_code = \"forbid\""));
    let main = fs::read_to_string(root().join("src/main.rs")).unwrap();
    assert!(main.lines().count() <= 40);
}

// ---- what we take in ----

/// The strings of one list in `deny.toml`.
fn denied(list: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("deny.toml")).unwrap();
    let (_, rest) = text.split_once(&format!("\n{list} = [")).unwrap();
    let (items, _) = rest.split_once("\n]").unwrap();
    items.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

fn tree() -> Vec<Value> {
    let cargo = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
    let tree: Value = serde_json::from_slice(&cargo.stdout).unwrap();
    tree["packages"].as_array().unwrap().clone()
}

/// Whether an SPDX expression can be met by allowed licences alone: OR binds loosest, then AND, then WITH.
fn is_met(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let (met, rest) = any_of(&words, allowed);
    assert!(rest.is_empty(), "{expression}");
    met
}

fn any_of<'a>(words: &'a [&'a str], allowed: &BTreeSet<String>) -> (bool, &'a [&'a str]) {
    let (mut met, mut rest) = all_of(words, allowed);
    while let ["OR", more @ ..] = rest {
        let (other, behind) = all_of(more, allowed);
        (met, rest) = (met || other, behind);
    }
    (met, rest)
}

fn all_of<'a>(words: &'a [&'a str], allowed: &BTreeSet<String>) -> (bool, &'a [&'a str]) {
    let (mut met, mut rest) = one_of(words, allowed);
    while let ["AND", more @ ..] = rest {
        let (other, behind) = one_of(more, allowed);
        (met, rest) = (met && other, behind);
    }
    (met, rest)
}

fn one_of<'a>(words: &'a [&'a str], allowed: &BTreeSet<String>) -> (bool, &'a [&'a str]) {
    match words {
        ["(", inner @ ..] => {
            let (met, rest) = any_of(inner, allowed);
            (met, rest.strip_prefix(&[")"]).expect("parentheses match"))
        }
        [licence, "WITH", exception, rest @ ..] => (allowed.contains(&format!("{licence} WITH {exception}")), rest),
        [licence, rest @ ..] => (allowed.contains(*licence), rest),
        [] => panic!("a licence is missing"),
    }
}

#[test]
fn expressions_of_licences_are_understood() {
    let allowed = BTreeSet::from(["MIT".to_owned(), "BSD-3-Clause".to_owned()]);
    for met in ["MIT", "MIT/Apache-2.0", "GPL-3.0 OR MIT", "MIT AND BSD-3-Clause", "(MIT OR X) AND (Y OR BSD-3-Clause)"]
    {
        assert!(is_met(met, &allowed), "{met}");
    }
    for not_met in ["GPL-3.0", "MIT AND Z", "Apache-2.0 WITH LLVM-exception", "(X OR Y) AND MIT"] {
        assert!(!is_met(not_met, &allowed), "{not_met}");
    }
}

#[test]
fn every_licence_that_we_take_in_is_allowed_and_every_one_allowed_is_needed() {
    let (allowed, mut broken) = (denied("allow"), Vec::new());
    let expressions: BTreeMap<String, String> = (tree().iter())
        .map(|package| (package["name"].to_string(), package["license"].as_str().unwrap_or_default().to_owned()))
        .collect();
    for (name, expression) in &expressions {
        if !is_met(expression, &allowed) {
            broken.push(format!("{name}: {expression}"));
        }
    }
    for licence in &allowed {
        let others: BTreeSet<String> = allowed.iter().filter(|other| *other != licence).cloned().collect();
        if expressions.values().all(|expression| is_met(expression, &others)) {
            broken.push(format!("deny.toml: {licence} is not needed"));
        }
    }
    report(&broken);
}

#[test]
fn all_that_we_take_in_comes_from_the_one_registry() {
    let foreign = |package: &&Value| {
        let source = package["source"].as_str();
        source.is_some_and(|source| source != "registry+https://github.com/rust-lang/crates.io-index")
    };
    let broken: Vec<String> = tree().iter().filter(foreign).map(|package| package["name"].to_string()).collect();
    report(&broken);
}

#[test]
fn bincode_is_pinned_for_as_long_as_its_advisory_is_ignored() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("\nbincode = { version = \"=2.0.1\""));
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    assert!(lock.contains("name = \"bincode\"\nversion = \"2.0.1\"\n"));
    let deny = fs::read_to_string(root().join("deny.toml")).unwrap();
    assert!(deny.contains("id = \"RUSTSEC-2025-0141\", reason = "));
}
