//! README and the manual are true to the letter: what can be run here is run as it is printed, what cannot is held against
//! the help, the files and the tests that it names, and the source that they show is compiled.
//!
//! Not run, and why: what asks a person (`init`, `keys add`, `forget`; the examples of their help give it a file to read),
//! what takes minutes (`simulate` of thousands, `bench`, the scripts of `.ci` and `fuzz`, other tests), what changes this
//! host (`cargo install`, packages, services, firewalls). Their names, flags and files are checked.
#![cfg(feature = "cli")]

#[path = "common/cluster.rs"]
mod cluster;
#[path = "common/help.rs"]
mod help;
#[path = "common/place.rs"]
mod place;

use cluster::{PROGRAM, init_with};
use gossip_node::{Cursor, Daemon, Since};
use place::{NETWORK, PASSWORD, Place, is_endless};
use serde::{Deserialize, Serialize};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

const PAGES: [(&str, &str); 2] =
    [("README.md", include_str!("../README.md")), ("docs/manual.md", include_str!("../docs/manual.md"))];
/// Programs that are others'.
const OTHERS: [&str; 9] = ["apt", "curl", "firewall-cmd", "jq", "journalctl", "ssh", "systemctl", "tcpdump", "ufw"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Blocks of a page: their language, what is in them, and what is in the block behind.
fn blocks() -> Vec<(&'static str, &'static str, &'static str)> {
    let mut all: Vec<(&str, &str)> = Vec::new();
    for (_, page) in PAGES {
        let parts = page.split("```").skip(1).step_by(2);
        all.extend(parts.map(|block| block.split_once('\n').unwrap()));
    }
    let behind = all.iter().skip(1).map(|(_, text)| *text).chain([""]);
    all.iter().zip(behind).map(|(&(language, text), behind)| (language, text, behind)).collect()
}

/// The commands of all blocks, without what is said of them.
fn commands() -> Vec<&'static str> {
    let lines = blocks().into_iter().filter(|(language, ..)| *language == "sh").flat_map(|(_, text, _)| text.lines());
    lines.map(|line| line.split_once("  #").map_or(line, |(command, _)| command).trim()).collect()
}

/// What stands between backticks in the text.
fn spans() -> Vec<&'static str> {
    let text = PAGES.iter().flat_map(|(_, page)| page.split("```").step_by(2));
    text.flat_map(|text| text.split('`').skip(1).step_by(2)).collect()
}

/// The words of a command, as a shell would have them.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in command.chars() {
        match (quote, c) {
            (None, '\'' | '"') => (quote, word) = (Some(c), Some(word.unwrap_or_default())),
            (Some(open), c) if c == open => quote = None,
            (None, ' ') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Whether each program of a line is known, and takes what it is given.
fn is_valid(line: &str) -> Result<(), String> {
    let mut all = vec![Vec::new()];
    for word in words(line) {
        match word.as_str() {
            "|" | "&&" => all.push(Vec::new()),
            // What is set for one command.
            _ if all.last().unwrap().is_empty() && word.contains('=') => {}
            _ => all.last_mut().unwrap().push(word),
        }
    }
    all.iter().try_for_each(|words| program(words).map_err(|why| format!("{line}: {why}")))
}

fn program(words: &[String]) -> Result<(), String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ok = |is: bool, why: &str| if is { Ok(()) } else { Err(why.to_owned()) };
    match words[..] {
        ["gossip-node", ref args @ ..] => takes(args),
        ["cargo", "run", "--release", "--", ref args @ ..] => takes(args),
        ["cargo", "run", "--release", "--example", ref name @ ..] => {
            ok(name.iter().all(|name| root().join(format!("examples/{name}.rs")).exists()), "no such example")
        }
        ["cargo", "test", ref rest @ ..] => {
            let named = rest.iter().position(|word| *word == "--test").and_then(|at| rest.get(at + 1));
            let exists = |name: &&&str| {
                ["tests/NAME.rs", "tests/NAME/main.rs"]
                    .iter()
                    .any(|path| root().join(path.replace("NAME", name)).exists())
            };
            ok(named.is_none_or(|name| exists(&name)), "no such test")
        }
        ["cargo", "bench" | "install" | "package", ..] => Ok(()),
        ["python3", script, ref flags @ ..] => {
            let Ok(help) = Command::new("python3").arg(root().join(script)).arg("--help").output() else {
                return Ok(());
            };
            let help = String::from_utf8_lossy(&help.stdout).into_owned();
            let known = flags.iter().filter(|flag| flag.starts_with("--")).all(|flag| help.contains(flag));
            ok(known && !help.is_empty(), "unknown flags")
        }
        [script, ref stories @ ..]
            if [".ci/", "fuzz/", "packaging/", "benches/peers/"].iter().any(|dir| script.starts_with(dir)) =>
        {
            let mode = root().join(script).metadata().map(|file| file.permissions().mode());
            ok(mode.is_ok_and(|mode| mode & 0o100 != 0), "no such script")?;
            let told = source(&root().join("tests/faults"));
            let all = stories.iter().all(|story| {
                script != ".ci/faults"
                    || told.contains(&format!("fn {story}"))
                    || told.contains(&format!("mod {story}"))
            });
            ok(all, "no such story")
        }
        [name, ..] => ok(OTHERS.contains(&name), "an unknown program"),
        [] => ok(false, "nothing to run"),
    }
}

/// All source in a directory, or a file's.
fn source(path: &Path) -> String {
    match std::fs::read_dir(path) {
        Ok(files) => files.map(|file| source(&file.unwrap().path())).collect(),
        Err(_) => std::fs::read_to_string(path).unwrap_or_default(),
    }
}

/// Whether a command takes these arguments: asked for its help behind them, it says what is wrong with them.
fn takes(args: &[&str]) -> Result<(), String> {
    // Help comes before what is missing, so only what a command is never without has to be there.
    let args = args.iter().take_while(|arg| !matches!(**arg, "<" | ">" | "--exec"));
    let output = Command::new(PROGRAM).args(args).arg("--help").output().unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

#[test]
fn every_command_is_known_with_its_flags_and_files() {
    let named = ["gossip-node ", "cargo ", ".ci/", "fuzz/run", "packaging/", "python3 "];
    let spans: Vec<&str> = spans();
    let said = |span: &&str| named.iter().any(|start| span.starts_with(start)) && !span.contains("COMMAND");
    let scripts = |span: &&str| !span.starts_with("packaging/") || !span.contains('.');
    let simulations =
        spans.iter().filter(|span| span.starts_with("--nodes ")).map(|span| format!("gossip-node simulate {span}"));
    let faults =
        spans.iter().filter(|span| span.starts_with("--scenario ")).map(|span| format!("gossip-node simulate {span}"));
    let all: Vec<String> = (commands().into_iter().map(str::to_owned))
        .chain(spans.iter().copied().filter(said).filter(scripts).map(str::to_owned))
        .chain(simulations)
        .chain(faults)
        .collect();
    assert!(all.len() > 60, "{all:#?}");
    let wrong: Vec<String> = all.iter().filter_map(|line| is_valid(line).err()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    // It finds what is wrong.
    for wrong in [
        "gossip-node lits",
        "gossip-node list --lmit 3",
        "gossip-node simulate --nodes many",
        "cargo test --test none",
        ".ci/none",
        "frob",
        ".ci/faults no_such_story",
    ] {
        assert!(is_valid(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn the_tables_name_commands_examples_tests_and_files_that_are_there() {
    let known = help::commands();
    let page = PAGES[1].1;
    let table =
        page.split("| command | does |").nth(1).unwrap().lines().skip(2).take_while(|line| line.starts_with('|'));
    for row in table {
        let name = row.split('`').nth(1).unwrap().split(' ').next().unwrap();
        assert!(known.iter().any(|command| command[0] == name), "{row}");
    }
    let examples =
        PAGES[0].1.split("--example` | is |").nth(1).unwrap().lines().skip(2).take_while(|line| line.starts_with('|'));
    let mut named: Vec<&str> =
        examples.flat_map(|row| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2)).collect();
    named.sort_unstable();
    let files = std::fs::read_dir(root().join("examples")).unwrap();
    let mut all: Vec<String> =
        files.map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    all.sort_unstable();
    assert_eq!(named, all);
    for (name, page) in PAGES {
        let dir = root().join(name).parent().unwrap().to_owned();
        for line in page.lines() {
            let mut last: Option<PathBuf> = None;
            for part in line.split("](").skip(1) {
                let (target, rest) = part.split_once(')').unwrap();
                if !target.starts_with("http") {
                    let path = dir.join(target);
                    assert!(path.exists(), "{name}: {target}");
                    last = Some(path);
                }
                // Behind the name of a file stand those of its tests.
                let tests = rest.split("](").next().unwrap().split('`').skip(1).step_by(2);
                for test in tests.filter(|word| word.matches('_').count() > 2 && !word.contains(['.', ' ', '='])) {
                    let there = last.as_deref().map(source).unwrap_or_default();
                    assert!(there.contains(&format!("fn {test}(")), "{name}: {test} is not in {last:?}");
                }
            }
        }
    }
}

/// What the program says, word by word; what stands in angle brackets or is measured may be anything.
fn line_of<'a>(text: &'a str, start: &str) -> Vec<&'a str> {
    let line = text.lines().find(|line| line.trim_start().starts_with(start));
    line.unwrap_or_else(|| panic!("no line begins with {start}: {text}")).split_whitespace().collect()
}

#[test]
fn what_can_be_run_here_runs_and_says_what_is_shown() {
    let place = Place::new();
    let nas = &place.cluster.nodes[0].home;
    // As others' programs would be here, and the home where the pages have it.
    for (name, script) in [("journalctl", "echo booted"), ("on-message", "cat > /dev/null")] {
        std::fs::write(place.work.join(name), format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(place.work.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    std::fs::create_dir_all(place.work.join(".local/state")).unwrap();
    symlink(nas, place.work.join(".local/state/gossip-node")).unwrap();
    init_with(&place.cluster.dir().join("new"), NETWORK, PASSWORD, &["--bind", "127.0.0.1:0"]);
    let page = place.run("gossip-node ui --print").1;
    let page = page.split("http://").nth(1).unwrap().split('/').next().unwrap();
    let asks = ["init --network", "keys ", "forget ", "retention set"];
    let elsewhere = ["gossip-node bench", "gossip-node simulate"];
    let mut ran = 0;
    for (language, text, behind) in blocks() {
        let mut last = None;
        for line in text.lines().filter(|_| language == "sh") {
            let command = line.split_once("  #").map_or(line, |(command, _)| command).trim();
            let ours = ["gossip-node", "curl", "journalctl"].iter().any(|start| command.starts_with(start));
            if !ours || asks.iter().chain(&elsewhere).any(|word| command.contains(word)) {
                continue;
            }
            place.cluster.wait_all(&["--in-sync"]);
            let (status, data, talk) = place.run(&command.replace("127.0.0.1:8684", page));
            let refused = behind.starts_with("error:") && text.trim_end().ends_with(line);
            assert!(refused || is_endless(command) || status.success(), "{command}: {status}\n{data}{talk}");
            assert_eq!(refused && !status.success(), refused, "{command}: {data}{talk}");
            last = Some((data, talk));
            ran += 1;
        }
        let Some((data, talk)) = last else { continue };
        if behind.starts_with("error:") {
            assert_eq!(talk, behind);
        } else if behind.starts_with('●') {
            assert_eq!(line_of(&data, "NAME"), line_of(behind, "NAME"));
            assert_eq!(line_of(&data, "● home:"), line_of(behind, "● home:"));
            // Not what is measured, nor when it was heard: that takes one word, or three.
            let row = |text| [0, 2, 4].map(|word| line_of(text, "desk")[word].to_owned());
            assert_eq!(row(&data), row(behind));
            assert_eq!(line_of(&data, "desk").last(), line_of(behind, "desk").last());
        }
    }
    assert!(ran > 12, "{ran}");
    let shown = |start: &str| blocks().into_iter().find(|(_, text, _)| text.trim_start().starts_with(start)).unwrap().1;
    let demo = Command::new(PROGRAM).args(["demo", "--once"]).output().unwrap();
    let demo = String::from_utf8(demo.stdout).unwrap() + &String::from_utf8(demo.stderr).unwrap();
    assert_eq!(line_of(&demo, "NODE"), line_of(shown("0.088 s"), "NODE"));
    assert_eq!(line_of(&demo, "node-2 ").len(), line_of(shown("0.088 s"), "node-2 ").len());
    let simulated = Command::new(PROGRAM).args(["simulate", "--nodes", "5", "--records", "5"]).output().unwrap();
    let simulated = String::from_utf8(simulated.stdout).unwrap();
    for line in shown("1000 nodes").lines().filter(|line| line.starts_with("  ") && line.len() > 24 && line.is_ascii())
    {
        let label = line[2..24].trim();
        assert!(simulated.contains(label), "{label:?} is not in {simulated}");
    }
    let changed = place.run("gossip-node init --set gossip_timer=500ms --set port=7000 && gossip-node reload");
    assert_eq!(line_of(&changed.1, "applied"), line_of(shown("applied"), "applied"), "{changed:?}");
    assert_eq!(line_of(&changed.1, "needs a restart")[..4], line_of(shown("applied"), "needs a restart")[..4]);
}

#[derive(Serialize, Deserialize)]
struct Limits {
    requests_a_second: u32,
}

/// It compiles. It is not run, as it would take port 6884 and look for neighbours: `tests/embed.rs` does the same on loopback.
#[expect(dead_code, reason = "compiled, never run")]
async fn library(
    password: &str,
    cursor: Cursor,
    apply: impl Fn(Limits, Cursor),
) -> Result<(), Box<dyn std::error::Error>> {
    let daemon = Daemon::builder().network("home").password(password).home("/var/lib/billing/gossip").start().await?;
    let gossip = daemon.handle();
    gossip.add_json(&Limits { requests_a_second: 50 }).await?; // on disk when this returns, soon everywhere
    let mut arriving = gossip.subscribe(Since::After(cursor)).await?; // where we stood when we stopped: nothing is missed
    while let Some(received) = arriving.next().await.transpose()? {
        apply(received.record.json::<Limits>()?, received.cursor);
    }
    Ok(())
}

#[test]
fn the_source_that_is_shown_compiles() {
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let here = flat(include_str!("readme.rs"));
    let shown: Vec<&str> =
        blocks().into_iter().filter(|(language, ..)| *language == "rust").map(|(_, text, _)| text).collect();
    assert_eq!(shown.len(), 1);
    assert!(here.contains(&flat(shown[0])), "{}", shown[0]);
}
