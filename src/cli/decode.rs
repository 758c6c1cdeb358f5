//! `gossip-node decode`: opens datagrams that somebody recorded, verifies them, and shows what they say. It talks to nobody
//! and changes nothing.

mod pcap;
mod shown;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::lines::{Line, Lines};
use super::password::Password;
use crate::config::ServerFile;
use crate::display::display_safe;
use crate::proto::beacon::BeaconKey;
use crate::proto::limits::MAX_DATAGRAM;
use crate::proto::seal::{NetworkKey, Secret, claimed_key_id};
use crate::proto::wire::Message;
use clap::Args;
use pcap::Pcap;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// Longest line of hex: a datagram, with a space behind each byte.
const LINE: usize = 3 * MAX_DATAGRAM + 1;

/// Open recorded datagrams, and show what they say.
#[derive(Args, Debug)]
#[command(after_help = "\
Datagrams come as hex, one an argument or one a line of standard input, or from a file of tcpdump (classic
pcap, as `tcpdump -i any -w lan.pcap 'udp portrange 6884-6885'` writes it; what is not ours there is passed
over). They are verified with all keys of the home's networks, or with the one that network and password
make, and so are the records in them. Exits with 1 if none opens.

  gossip-node decode --pcap lan.pcap
  gossip-node decode --pcap lan.pcap --network home --password-file secret.txt --json
  gossip-node decode < datagrams.hex")]
pub struct Decode {
    /// Datagrams in hex; standard input, a line each, if there is none and no file
    #[arg(value_name = "HEX", conflicts_with = "pcap")]
    hex: Vec<String>,
    /// Read a file of tcpdump instead (-: standard input)
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// Use the key of --network and the password in this file, not those of the home
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// What opens datagrams.
struct Keys(Vec<(NetworkKey, BeaconKey)>);

impl Decode {
    /// Shows them.
    pub fn run(self, context: &Context) -> Result<(), Failure> {
        let keys = self.keys(context)?;
        let (mut opened, mut others) = (0, 0);
        let mut show = |datagram: &[u8], way: Option<&pcap::Way>| {
            let said = keys.decode(datagram);
            // Of a recorded wire only what claims to be ours is of interest.
            if way.is_some() && said["error"] == "magic" {
                others += 1;
                return Ok(());
            }
            opened += u64::from(said.get("error").is_none());
            print(context, said, way)
        };
        match &self.pcap {
            Some(path) => recorded(path, |packet| show(&packet.payload, Some(&packet.way)))?,
            None if self.hex.is_empty() => {
                let mut lines = Lines::of_stdin(LINE);
                while let Some(line) = lines.next()? {
                    let line = text(line)?;
                    if !line.trim().is_empty() {
                        show(&bytes(&line)?, None)?;
                    }
                }
            }
            None => self.hex.iter().try_for_each(|hex| show(&bytes(hex)?, None))?,
        }
        if others > 0 {
            context.note(&format!("{others} other datagrams were passed over"));
        }
        if opened == 0 {
            Err(Failure::new(Exit::No, "no datagram was opened").hint("is it the right key?"))
        } else {
            Ok(())
        }
    }

    fn keys(&self, context: &Context) -> Result<Keys, Failure> {
        let key = |name: &str, secret: &Secret| (NetworkKey::new(secret), BeaconKey::new(secret, name));
        if let Some(path) = &self.password_file {
            let name = context.network.as_deref().ok_or_else(|| {
                Failure::new(Exit::Usage, "a password alone makes no key").hint("say which network with --network NAME")
            })?;
            let password = Password::from_file(path, context)?;
            return Ok(Keys(vec![key(name, &Secret::derive(name, password.as_bytes()))]));
        }
        let file = ServerFile::read(&context.home.server_json())?.file;
        let wanted = |name: &str| context.network.as_deref().is_none_or(|wanted| wanted == name);
        let networks = file.networks.iter().filter(|network| wanted(&network.network_name));
        let keys: Vec<_> = networks
            .flat_map(|network| network.ring().map(|ring| key(&network.network_name, &ring.network_key)))
            .collect();
        match keys.is_empty() {
            true => Err(Failure::new(Exit::NotFound, "there is no key to try").hint("gossip-node network list")),
            false => Ok(Keys(keys)),
        }
    }
}

impl Keys {
    /// What a datagram says, or why it says nothing.
    fn decode(&self, datagram: &[u8]) -> Value {
        let mut why = json!({ "error": "magic", "len": datagram.len() });
        if datagram.first() == Some(&shown::BEACON) {
            for (_, key) in &self.0 {
                match shown::beacon(key, datagram) {
                    Ok(said) => return said,
                    Err(error) => why["error"] = json!(error),
                }
            }
            return why;
        }
        // The key that it names; else any, for what is wrong with it.
        let named = self.0.iter().find(|(key, _)| claimed_key_id(datagram) == Some(key.key_id()));
        if let Some((key, _)) = named.or(self.0.first()) {
            let said = key.open(datagram).and_then(|opened| {
                Message::decode(&opened).map(|message| shown::datagram(&opened, datagram.len(), &message))
            });
            match said {
                Ok(said) => return said,
                Err(rejected) => why["error"] = json!(rejected.name().trim_start_matches("rejected_")),
            }
        }
        why
    }
}

/// Each datagram of a file of tcpdump.
fn recorded(path: &Path, mut each: impl FnMut(&pcap::Packet) -> Result<(), Failure>) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Exit::No, format!("cannot read {}", path.display())).why(error.to_string())
    };
    let from: Box<dyn Read> = match path.as_os_str() == "-" {
        true => Box::new(std::io::stdin().lock()),
        false => Box::new(File::open(path).map_err(failed)?),
    };
    let mut pcap = Pcap::open(BufReader::new(from)).map_err(failed)?;
    while let Some(packet) = pcap.next().map_err(failed)? {
        each(&packet)?;
    }
    Ok(())
}

fn print(context: &Context, mut said: Value, way: Option<&pcap::Way>) -> Result<(), Failure> {
    if let Some(pcap::Way { at, from, to }) = way {
        (said["at"], said["from"], said["to"]) = (json!(at), json!(from.to_string()), json!(to.to_string()));
    }
    if context.json {
        return context.print_json(&said);
    }
    let text = |key: &str| match said.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let way = way.map(|way| format!("{}  {} -> {}  ", way.at, way.from, way.to)).unwrap_or_default();
    if said.get("error").is_some() {
        return context.print(&format!("{way}{} bytes: not opened ({})\n", text("len"), text("error")));
    }
    let session = match said.get("counter") {
        Some(_) => format!("  {} -> {} #{}", text("src_session"), text("dst_session"), text("counter")),
        None => String::new(),
    };
    let body = serde_json::to_string_pretty(&said["body"]).unwrap_or_default();
    let (name, len) = (text("datagram"), text("len"));
    context.print(&format!("{way}{name}  {len} bytes{session}\n{}\n", display_safe(&body)))
}

/// What a line of standard input says.
fn text(line: Line) -> Result<String, Failure> {
    let failed = |why: String| Failure::new(Exit::No, "cannot read standard input").why(why);
    match line {
        Line::Whole(line) => String::from_utf8(line).map_err(|_| failed("it is no text".to_owned())),
        Line::TooLong => Err(failed(format!("a line has at most {LINE} characters"))),
    }
}

/// Bytes of hex, with spaces or without.
fn bytes(hex: &str) -> Result<Vec<u8>, Failure> {
    let wrong = || Failure::new(Exit::Usage, "a datagram is hex, two digits a byte").why(format!("{hex:?} is not"));
    let digits: Option<Vec<u32>> = hex.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_digit(16)).collect();
    let digits = digits.ok_or_else(wrong)?;
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(wrong());
    }
    Ok(pairs.iter().filter_map(|[high, low]| u8::try_from(high << 4 | low).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hex_is_read_with_spaces_and_without() {
        assert_eq!(bytes("67 01\tfF\n").unwrap(), [0x67, 1, 0xFF]);
        assert_eq!(bytes("").unwrap(), [0u8; 0]);
        for wrong in ["6", "6g", "0x67", "67é1"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused(mut datagram in proptest::collection::vec(any::<u8>(), 0..200), ours in any::<bool>()) {
            let secret = Secret([7; 32]);
            let keys = Keys(vec![(NetworkKey::new(&secret), BeaconKey::new(&secret, "home"))]);
            if ours && datagram.len() > 2 {
                (datagram[0], datagram[1]) = (if datagram[2] % 2 == 0 { 0x67 } else { 0x62 }, 1);
            }
            let said = keys.decode(&datagram);
            prop_assert!(said["error"].is_string());
        }
    }
}
