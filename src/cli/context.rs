//! [`Context`]: what every command has: the home, the daemon's client, and the two ways out: data to standard output,
//! talk to standard error.

use super::Globals;
use super::failure::{Exit, Failure};
use super::paint::Paint;
use super::typed::typed;
use crate::client::{Client, ClientError};
use crate::config::{Home, ServerFile};
use crate::display::{display_safe, json_safe};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// What every command has.
#[derive(Clone, Debug)]
pub struct Context {
    /// The home that the command is about.
    pub home: Home,
    /// Whether the command line names it: what leaves its mark on a network works on none that was not named.
    pub home_said: bool,
    /// The network that it is about, where the daemon is in several.
    pub network: Option<String>,
    /// Whether programs read the output.
    pub json: bool,
    /// Colour on standard output.
    pub paint: Paint,
}

impl Context {
    /// The context that the global flags describe.
    pub fn new(globals: &Globals) -> Result<Context, Failure> {
        let dir = globals.home.clone().or_else(Home::default_dir).ok_or_else(|| {
            Failure::new(Exit::Config, "no home directory is known")
                .why("neither HOME nor XDG_STATE_HOME is set")
                .hint("name one with --home DIR or GOSSIP_NODE_HOME")
        })?;
        let paint = Paint::on(&io::stdout(), globals.color);
        Ok(Context {
            home: Home::new(dir),
            home_said: globals.home_said,
            network: globals.network.clone(),
            json: globals.json,
            paint,
        })
    }

    /// The name of the one network of a file that this is about.
    pub fn one_network(&self, file: &ServerFile) -> Result<String, Failure> {
        let names: Vec<&str> = file.networks.iter().map(|network| network.network_name.as_str()).collect();
        let shown = names.join(", ");
        match (&self.network, &names[..]) {
            (Some(name), names) if names.contains(&name.as_str()) => Ok(name.clone()),
            (Some(name), _) => Err(not_in(name, file)),
            (None, [only]) => Ok((*only).to_owned()),
            (None, []) => {
                Err(Failure::new(Exit::NotFound, "this node is in no network").hint("gossip-node network add NAME"))
            }
            (None, _) => Err(Failure::new(Exit::Usage, "this node is in several networks")
                .why(format!("name one of them with --network: {shown}"))),
        }
    }

    /// Calls the daemon of this home.
    pub fn client(&self) -> Client {
        Client::new(self.home.control_socket(), self.network.clone())
    }

    /// Turns what a call came to into a failure that names this home.
    pub fn explain(&self) -> impl Fn(ClientError) -> Failure {
        |error| Failure::of_call(error, self.home.dir())
    }

    /// The line to type for a command of this home and network.
    pub fn command<W: AsRef<str>>(&self, words: &[W]) -> String {
        typed(self.home.dir(), self.network.as_deref(), words)
    }

    /// The same about another network.
    pub fn of(&self, network: Option<&str>) -> Context {
        Context { network: network.map(str::to_owned), ..self.clone() }
    }

    /// Data, byte for byte. Whoever read it may have gone (`| head`): then all is said, and nothing is wrong.
    pub fn print_bytes(&self, data: &[u8]) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(data).and_then(|()| stdout.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::silent(Exit::Ok)),
            Err(error) => Err(Failure::new(Exit::No, format!("cannot write to standard output: {error}"))),
        }
    }

    /// Data for people.
    pub fn print(&self, text: &str) -> Result<(), Failure> {
        self.print_bytes(text.as_bytes())
    }

    /// Data for programs: one object on one line.
    pub fn print_json(&self, data: &impl Serialize) -> Result<(), Failure> {
        self.print(&json_line(data))
    }

    /// Talk.
    pub fn note(&self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{}", display_safe(text));
    }

    /// Refuses what is not to be done unasked, for this reason, where nobody can be asked: then `--yes` is to be said.
    pub fn can_ask(&self, why: &str) -> Result<(), Failure> {
        if !self.is_interactive() || self.json {
            return Err(Failure::new(Exit::Usage, "say --yes").why(why));
        }
        Ok(())
    }

    /// Whether there is somebody to ask.
    pub fn is_interactive(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }
}

/// Asks whether that is to be done; where it is not, `undone` says what is so.
pub fn confirm(question: &str, undone: &str) -> Result<(), Failure> {
    match dialoguer::Confirm::new().with_prompt(question).default(false).interact()? {
        true => Ok(()),
        false => Err(Failure::new(Exit::No, undone)),
    }
}

/// A network that is not in the file.
pub fn not_in(name: &str, file: &ServerFile) -> Failure {
    let names: Vec<&str> = file.networks.iter().map(|network| network.network_name.as_str()).collect();
    let all = if names.is_empty() { "no network".to_owned() } else { names.join(", ") };
    Failure::new(Exit::NotFound, format!("this node is not in the network {name:?}")).why(format!("it is in {all}"))
}

/// An object on one line, which may be shown.
pub fn json_line(data: &impl Serialize) -> String {
    let line = serde_json::to_string(data).expect("plain data becomes JSON");
    format!("{}\n", json_safe(&line))
}
