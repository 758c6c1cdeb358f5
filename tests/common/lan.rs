//! [`Lan`]: hosts in network namespaces, on two switches with a cable between them. All of it is made here and vanishes with
//! the story: the host's own network is not touched.

#![allow(dead_code, reason = "each test file uses its own part of it")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

/// A network namespace: it lives as long as a process in it, which ends with the story, however that ends.
pub struct Namespace(Child);

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Namespace {
    /// An empty one.
    pub fn new() -> Namespace {
        // It reads from us until we are gone.
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", "echo here; exec cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("unshare is part of every Linux");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "here\n", "no network namespace may be made");
        Namespace(child)
    }

    /// A process in it.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Runs something in it.
    pub fn enter(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.pid()));
        command
    }

    /// Runs commands of `ip` in it.
    pub fn ip(&self, commands: &str) {
        let mut child = self.enter().args(["ip", "-batch", "-"]).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(commands.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "{commands}");
    }
}

/// Two switches with a cable between them, and hosts at each.
pub struct Lan {
    switches: Namespace,
    /// They.
    pub hosts: Vec<Namespace>,
}

impl Lan {
    /// With so many hosts, every second at the second switch.
    pub fn of(hosts: usize) -> Lan {
        let switches = Namespace::new();
        switches.ip("link add left type bridge\nlink add right type bridge\nlink set left up\nlink set right up\n\
             link add cable type veth peer name other-end\nlink set cable master left up\n\
             link set other-end master right up\n");
        let plug = |host: usize| {
            let namespace = Namespace::new();
            let (pid, switch) = (namespace.pid(), ["left", "right"][host % 2]);
            switches.ip(&format!(
                "link add host{host} type veth peer name eth0 netns {pid}\nlink set host{host} master {switch} up\n"
            ));
            namespace.ip(&format!("addr add {}/24 dev eth0\nlink set lo up\nlink set eth0 up\n", Lan::address(host)));
            namespace
        };
        let hosts = (0..hosts).map(plug).collect();
        Lan { switches, hosts }
    }

    /// A host's address.
    pub fn address(host: usize) -> String {
        format!("10.77.0.{}", host + 1)
    }

    /// Every host loses this share of what comes in.
    pub fn lose(&self, share: f64) {
        let rule = format!("-A INPUT -p udp -m statistic --mode random --probability {share} -j DROP");
        for host in &self.hosts {
            let mut iptables = host.enter();
            assert!(iptables.args(["iptables", "-w"]).args(rule.split(' ')).status().unwrap().success(), "{rule}");
        }
    }

    /// How many datagrams a host lost so far.
    pub fn lost(&self, host: usize) -> u64 {
        let list = self.hosts[host].enter().args(["iptables", "-w", "-nvxL", "INPUT"]).output().unwrap().stdout;
        let list = String::from_utf8(list).unwrap();
        let rule = list.lines().find(|line| line.contains("DROP") && line.contains("statistic")).expect("the rule");
        rule.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// The cable between the switches is pulled, or plugged in.
    pub fn cable(&self, state: &str) {
        self.switches.ip(&format!("link set cable {state}\n"));
    }
}
