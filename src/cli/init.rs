//! `gossip-node init`: SERVER_FILES. Creates or updates `server.json`; the node's GUID and its records outlive every
//! change of settings.

use super::context::Context;
use super::failure::{Exit, Failure};
use super::password::{Password, Source};
use super::random::random;
use super::register::host_port;
use super::typed::{option, typed};
use crate::config::{ConfigError, Network, ServerFile, node_name};
use crate::display::display_line;
use crate::proto::gossip::{Guid, check_name, name_rule};
use crate::proto::seal::Secret;
use clap::Args;
use std::net::SocketAddr;
use std::path::Path;

/// Create or update server.json.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
The network's name comes from --network. Without these flags a dialogue asks for them, on a terminal.

  gossip-node init --network home --password-file secret.txt
  gossip-node init --name nas --set gossip_timer=500ms             # updates
  gossip-node init --profile fast --set timing.suspicion=1500ms    # updates")]
pub struct Init {
    #[command(flatten)]
    source: Source,
    /// This node's name [default: the host's]
    #[arg(long)]
    name: Option<String>,
    /// The UDP address to bind [default: 0.0.0.0:6884]
    #[arg(long, value_name = "IP:PORT")]
    bind: Option<SocketAddr>,
    /// A node to register with at every start (repeatable)
    #[arg(long = "seed", value_name = "HOST:PORT", value_parser = host_port)]
    seeds: Vec<String>,
    /// How fast it goes: lan, or fast, which knows of a crash sooner [default: lan]
    #[arg(long, value_parser = ["lan", "fast"])]
    profile: Option<String>,
    /// Set one key, such as gossip_timer=500ms or networks.0.network_name=lan (repeatable)
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = assignment)]
    sets: Vec<(String, String)>,
    /// Replace the settings of an existing home; its node_guid and its records stay
    #[arg(long)]
    force: bool,
}

/// `KEY=VALUE`.
fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.into(), value.into())),
        _ => Err("say KEY=VALUE, such as gossip_timer=500ms".into()),
    }
}

/// What a new configuration needs beyond its defaults.
struct Wishes {
    network: Option<String>,
    password: Option<Password>,
    name: Option<String>,
    bind: Option<SocketAddr>,
    seeds: Vec<String>,
}

impl Init {
    /// Creates the file, or updates it.
    pub fn run(self, context: &Context) -> Result<(), Failure> {
        let path = context.home.server_json();
        let exists = std::fs::symlink_metadata(&path).is_ok();
        let updates = exists && !self.force;
        if updates && (self.source.is_said() || !self.is_change()) {
            let instead = if self.source.is_said() {
                "add a network with: gossip-node network add NAME"
            } else {
                "change settings with --name, --bind, --seed, --profile or --set KEY=VALUE"
            };
            return Err(Failure::new(Exit::Refused, format!("{} is there already", path.display()))
                .why("its keys and settings would be lost")
                .hint(format!("{instead}, or replace all with --force")));
        }
        let file = if updates {
            ServerFile::load(&path)?.notes.iter().for_each(|note| context.note(note));
            let wishes = self.wishes_of_flags(context)?;
            ServerFile::amend(&path, |file| {
                self.change(file, wishes, context)?;
                Ok::<ServerFile, Failure>(file.clone())
            })?
        } else {
            let guid = if exists { kept_guid(&path)? } else { Guid::random(random()?) };
            let mut file = ServerFile::new(guid, &node_name());
            let wishes = self.wishes(context, &file)?;
            self.change(&mut file, wishes, context)?;
            let dir = context.home.dir().display();
            let failed = |error: std::io::Error| {
                Failure::new(Exit::Refused, format!("cannot make {dir}")).why(error.to_string())
            };
            context.home.create().map_err(failed)?;
            file.save(&path)?;
            file
        };
        tell(context, &file, exists)
    }

    /// Whether it says anything that a file which is there could be changed to. A password belongs to a network.
    fn is_change(&self) -> bool {
        let Init { source: _, name, bind, seeds, profile, sets, force: _ } = self;
        name.is_some() || bind.is_some() || !seeds.is_empty() || profile.is_some() || !sets.is_empty()
    }

    /// Makes the file what the flags and `wishes` say.
    fn change(&self, file: &mut ServerFile, wishes: Wishes, context: &Context) -> Result<(), Failure> {
        wishes.apply(file, context)?;
        if let Some(profile) = &self.profile {
            file.set("profile", profile).map_err(misused)?;
        }
        for (key, value) in &self.sets {
            file.set(key, value).map_err(misused)?;
        }
        file.check().map_err(misused)
    }

    fn wishes_of_flags(&self, context: &Context) -> Result<Wishes, Failure> {
        let password = self.source.flags(context)?;
        let Init { name, bind, seeds, .. } = self.clone();
        Ok(Wishes { network: context.network.clone(), password, name, bind, seeds })
    }

    /// The flags say all, or there is somebody to ask.
    fn wishes(&self, context: &Context, defaults: &ServerFile) -> Result<Wishes, Failure> {
        let has_password = self.source.is_said();
        let missing: Vec<&str> = [
            (context.network.is_none(), "--network NAME"),
            (!has_password, "--password-file FILE or --password-stdin"),
        ]
        .iter()
        .filter_map(|(missing, flag)| missing.then_some(*flag))
        .collect();
        if missing.is_empty() {
            return self.wishes_of_flags(context);
        }
        if !context.is_interactive() || self.source.is_stdin() || context.json {
            return Err(Failure::new(Exit::Usage, format!("missing: {}", missing.join(", ")))
                .why("there is no terminal to ask on")
                .hint("see gossip-node init --help"));
        }
        let wishes = self.wishes_of_flags(context)?.ask_for_the_rest(context, defaults)?;
        context.note(&format!("The same without questions:\n  {}", self.as_command(&wishes, context)));
        Ok(wishes)
    }

    /// The command line that says the same, but for a password that was typed.
    fn as_command(&self, wishes: &Wishes, context: &Context) -> String {
        let file = self.source.file().map_or("FILE".into(), Path::to_string_lossy);
        let mut words = vec!["init".to_owned()];
        words.extend(option("--password-file", &file));
        let bind = wishes.bind.map(|bind| bind.to_string());
        for (flag, value) in [("--name", &wishes.name), ("--bind", &bind), ("--profile", &self.profile)] {
            words.extend(value.iter().flat_map(|value| option(flag, value)));
        }
        words.extend(wishes.seeds.iter().flat_map(|seed| option("--seed", seed)));
        words.extend(self.sets.iter().flat_map(|(key, value)| option("--set", &format!("{key}={value}"))));
        words.extend(self.force.then(|| "--force".to_owned()));
        context.of(wishes.network.as_deref()).command(&words)
    }
}

impl Wishes {
    fn ask_for_the_rest(mut self, context: &Context, defaults: &ServerFile) -> Result<Wishes, Failure> {
        let is_name = |name: &String| if check_name(name) { Ok(()) } else { Err(name_rule()) };
        if self.network.is_none() {
            let prompt = dialoguer::Input::new().with_prompt("Name of the network").default("home".to_owned());
            self.network = Some(prompt.validate_with(is_name).interact_text()?);
        }
        if self.password.is_none() {
            context.note("All hosts of the network have the same password. Messages are authenticated, not encrypted.");
            let network = display_line(self.network.as_deref().unwrap_or_default()).into_owned();
            self.password = Some(Password::ask(context, &network)?);
        }
        let strength = self.password.as_ref().map(Password::strength);
        // Of a weak one is spoken when it is taken.
        if let Some(strength) = strength.filter(|strength| !strength.is_weak()) {
            context.note(&format!("That password is {strength}."));
        }
        if self.name.is_none() {
            let prompt = dialoguer::Input::new().with_prompt("Name of this node").default(defaults.node_name.clone());
            self.name = Some(prompt.validate_with(is_name).interact_text()?);
        }
        if self.bind.is_none() {
            let default = SocketAddr::new(defaults.ip, defaults.port);
            let prompt = dialoguer::Input::new().with_prompt("UDP address to bind").default(default);
            self.bind = Some(prompt.interact_text()?);
        }
        if self.seeds.is_empty() {
            let prompt = dialoguer::Input::<String>::new()
                .with_prompt("A node that is there already, HOST:PORT (empty: none)")
                .allow_empty(true)
                .validate_with(|seed: &String| if seed.is_empty() { Ok(()) } else { host_port(seed).map(drop) });
            self.seeds.extend(Some(prompt.interact_text()?).filter(|seed| !seed.is_empty()));
        }
        Ok(self)
    }

    fn apply(self, file: &mut ServerFile, context: &Context) -> Result<(), Failure> {
        if let Some(name) = self.name {
            file.node_name = name;
        }
        if let Some(bind) = self.bind {
            (file.ip, file.port) = (bind.ip(), bind.port());
        }
        for seed in self.seeds {
            if !file.seeds.contains(&seed) {
                file.seeds.push(seed);
            }
        }
        let (Some(network_name), Some(password)) = (self.network, self.password) else { return Ok(()) };
        if !check_name(&network_name) {
            return Err(
                Failure::new(Exit::Usage, format!("{network_name:?} is no name for a network")).why(name_rule())
            );
        }
        password.warn(context);
        let network_key = Secret::derive(&network_name, password.as_bytes());
        file.networks.push(Network::new(network_name, network_key));
        Ok(())
    }
}

/// Says when a change of the file holds.
pub fn told_of_change(context: &Context) {
    context.note("A running daemon reads it when it starts again, or at once: gossip-node reload");
}

/// A setting on the command line that cannot be is the command line's fault, not the file's.
pub fn misused(error: ConfigError) -> Failure {
    match error {
        ConfigError::Value { key, problem, hint } => {
            let failure = Failure::new(Exit::Usage, format!("{key} {problem}"));
            if hint.is_empty() { failure } else { failure.hint(hint) }
        }
        other => other.into(),
    }
}

/// The GUID in a file whose other settings are replaced, and may be what is wrong with it.
fn kept_guid(path: &Path) -> Result<Guid, Failure> {
    let lost = |why: String| {
        Failure::new(Exit::Config, format!("cannot keep the node_guid of {}", path.display()))
            .why(why)
            .hint("write it back by hand, or move the file away to become a new node")
    };
    let text = std::fs::read(path).map_err(|error| lost(error.to_string()))?;
    let value: serde_json::Value = serde_json::from_slice(&text).map_err(|_| lost("the file is not JSON".into()))?;
    let guid = value.get("node_guid").and_then(|guid| guid.as_str()).and_then(|guid| guid.parse().ok());
    guid.filter(|guid| *guid != Guid::default()).ok_or_else(|| lost("it has no node_guid".into()))
}

fn tell(context: &Context, file: &ServerFile, existed: bool) -> Result<(), Failure> {
    let path = context.home.server_json();
    let networks: Vec<&str> = file.networks.iter().map(|network| network.network_name.as_str()).collect();
    if context.json {
        return context.print_json(&serde_json::json!({
            "home": context.home.dir(),
            "server_json": path,
            "created": !existed,
            "node_guid": file.node_guid.to_string(),
            "node_name": file.node_name,
            "ip": file.ip,
            "port": file.port,
            "profile": file.profile,
            "networks": networks,
            "seeds": file.seeds,
        }));
    }
    let done = if existed { "updated" } else { "created" };
    let name = display_line(&file.node_name);
    let networks = networks.join(", ");
    context.print(&format!(
        "{done} {}\nnode {name} ({}), network {}\n",
        path.display(),
        file.node_guid,
        display_line(&networks)
    ))?;
    if existed {
        told_of_change(context);
    } else {
        if context.home.is_service() {
            context.note("Next: systemctl start gossip-node");
        } else {
            context.note(&format!("Next: {}", typed(context.home.dir(), None, &["run"])));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::paint::Paint;
    use crate::config::Home;
    use clap::FromArgMatches;

    #[test]
    fn a_set_has_a_key_and_may_have_an_empty_value() {
        assert_eq!(assignment("a.b=c=d"), Ok(("a.b".into(), "c=d".into())));
        assert_eq!(assignment("a="), Ok(("a".into(), String::new())));
        assert!(assignment("a").is_err() && assignment("=a").is_err());
    }

    #[test]
    fn the_wizard_ends_with_a_command_that_says_the_same() {
        let context = Context {
            home: Home::new("/my home".into()),
            home_said: true,
            network: None,
            json: false,
            paint: Paint::never(),
        };
        let said = |args: &[&str]| {
            let matches = Init::augment_args(clap::Command::new("init")).try_get_matches_from(args).unwrap();
            Init::from_arg_matches(&matches).unwrap()
        };
        let wishes = Wishes {
            network: Some("it's home".into()),
            password: None,
            name: Some("-nas".into()),
            bind: Some("127.0.0.1:0".parse().unwrap()),
            seeds: vec!["a:1".into()],
        };
        assert_eq!(
            said(&["init"]).as_command(&wishes, &context),
            r"gossip-node init --home '/my home' --network 'it'\''s home' --password-file FILE '--name=-nas' --bind 127.0.0.1:0 --seed a:1"
        );
        let all = ["init", "--password-file", "p", "--profile", "fast", "--set", "gossip_timer=2s", "--force"];
        let wishes = Wishes { network: None, password: None, name: None, bind: None, seeds: vec![] };
        assert_eq!(
            said(&all).as_command(&wishes, &context),
            "gossip-node init --home '/my home' --password-file p --profile fast --set 'gossip_timer=2s' --force"
        );
    }
}
