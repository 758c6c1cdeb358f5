//! [`HttpFile`]: the section `http` of `server.json`: where the control API is served to browsers and scripts, and under
//! which names.

use super::error::ConfigError;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Names that `http.hosts` may add.
const MAX_HOSTS: usize = 64;
/// Longest name, as DNS has it.
const MAX_HOST: usize = 253;

/// How the control API is served over TCP. Over the control socket it always is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpFile {
    /// Where. If nobody says, at [`DEFAULT`](HttpFile::DEFAULT) or, where that is taken, at any free port of loopback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<Listen>,
    /// Names for this host, beside its own, that requests may be for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
}

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Nowhere.
    Off,
    /// There; port 0 lets the kernel choose.
    At(SocketAddr),
}

impl HttpFile {
    /// Where it is served if nobody says.
    pub const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8684);

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == HttpFile::default()
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.hosts.len() > MAX_HOSTS {
            let problem = format!("has {} names", self.hosts.len());
            return Err(ConfigError::value("http.hosts", problem, format!("at most {MAX_HOSTS} are possible")));
        }
        let is_name = |host: &String| {
            (1..=MAX_HOST).contains(&host.len())
                && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
        };
        match self.hosts.iter().enumerate().find(|(_, host)| !is_name(host) && host.parse::<IpAddr>().is_err()) {
            None => Ok(()),
            Some((index, host)) => {
                let problem = format!("is {host:?}, which is neither a name nor an address");
                let hint = "say it as in an address bar, without a port: nas.example.org";
                Err(ConfigError::value(format!("http.hosts.{index}"), problem, hint))
            }
        }
    }
}

impl Serialize for Listen {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Listen::Off => to.serialize_str("off"),
            Listen::At(addr) => to.collect_str(addr),
        }
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Listen, D::Error> {
        let text = String::deserialize(from)?;
        if text == "off" {
            return Ok(Listen::Off);
        }
        let wrong = |_| D::Error::custom(format!("is {text:?}: say off, or IP:PORT such as {}", HttpFile::DEFAULT));
        text.parse().map(Listen::At).map_err(wrong)
    }
}
