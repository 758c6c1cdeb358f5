//! [`Demo`]: `gossip-node demo`, which stays up for as long as its story.

#![allow(dead_code, reason = "each test file uses its own part of it")]

use crate::cluster::PROGRAM;
use gossip_node::client::Client;
use gossip_node::config::Home;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A demonstration.
pub struct Demo {
    child: Child,
    /// A client for each of its nodes.
    pub clients: Vec<Client>,
    /// The home of each of its nodes.
    pub homes: Vec<PathBuf>,
}

impl Drop for Demo {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            let _ = Command::new("kill").arg(self.child.id().to_string()).status();
            let _ = self.child.wait();
        }
    }
}

impl Demo {
    /// What closing its terminal comes to; returns when it has ended.
    pub fn hang_up(&mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", "HUP", &pid]).status().unwrap().success());
        self.child.wait().unwrap();
    }

    /// Starts one.
    pub fn start(args: &[&str]) -> Demo {
        // Who runs the tests may ignore SIGHUP, and who is started would too.
        let mut child = Command::new("env")
            .args(["--default-signal=HUP", PROGRAM, "demo", "--json", "--records", "4"])
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Nobody may leave it with a full pipe.
        let talk = child.stderr.take().unwrap();
        std::thread::spawn(move || drop(BufReader::new(talk).read_to_end(&mut Vec::new())));
        let mut json = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let table: Value = loop {
            json += &lines.next().expect("the demo shows its table").unwrap();
            if let Ok(table) = serde_json::from_str(&json) {
                break table;
            }
        };
        let nodes = table["nodes"].as_array().unwrap().iter();
        let homes: Vec<PathBuf> = nodes.map(|node| node["home"].as_str().unwrap().into()).collect();
        let client = |home: &PathBuf| Client::new(Home::new(home.clone()).control_socket(), None);
        let clients = homes.iter().map(client).collect();
        Demo { child, clients, homes }
    }
}
