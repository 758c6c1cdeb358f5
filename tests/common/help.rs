//! What the program says of itself: its commands and their examples, read from its help as anybody would.

#![allow(dead_code, reason = "each test file uses its own part of it")]

use super::cluster::PROGRAM;
use std::process::Command;

/// The help of a command, as it is where no terminal is.
pub fn of(command: &[String]) -> String {
    let mut help = Command::new(PROGRAM);
    for name in ["COLUMNS", "GOSSIP_NODE_HOME", "GOSSIP_NODE_NETWORK"] {
        help.env_remove(name);
    }
    let output = help.args(command).arg("--help").output().unwrap();
    assert!(output.status.success(), "{command:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// All commands that help names, and those below them.
pub fn commands() -> Vec<Vec<String>> {
    let mut all = Vec::new();
    below(&[], &mut all);
    all
}

fn below(command: &[String], all: &mut Vec<Vec<String>>) {
    let help = of(command);
    let mut listed = false;
    for line in help.lines() {
        if !line.starts_with(' ') && !line.is_empty() {
            // Lists of commands have headings of one or two words, and the other headings are these.
            let is_heading = line.ends_with(':') && line.split(' ').count() <= 2;
            listed = is_heading && !["Examples:", "Options:", "Arguments:", "Scenarios:"].contains(&line);
        }
        let entry = line.strip_prefix("  ").filter(|_| listed).filter(|entry| entry.starts_with(char::is_lowercase));
        let Some(name) = entry.and_then(|entry| entry.split(' ').next()).filter(|name| *name != "help") else {
            continue;
        };
        let found = [command, &[name.to_owned()]].concat();
        all.push(found.clone());
        below(&found, all);
    }
}

/// The examples of all commands, each with whose it is.
pub fn examples() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for command in std::iter::once(Vec::new()).chain(commands()) {
        let help = of(&command);
        let behind = help.split("Examples:\n").nth(1).unwrap_or_default();
        let lines = behind.lines().take_while(|line| line.starts_with("  ")).map(|line| line.trim().to_owned());
        all.extend(lines.map(|line| (command.join(" "), line)));
    }
    all
}
