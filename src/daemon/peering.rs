//! What can be done about peers: registering with one, asking one whether it is there, forgetting one.

use super::command::Command;
use super::engine::Moment;
use super::handle::Handle;
use super::meant::meant;
use super::member::Member;
use super::pinging::Ping;
use super::refusal::{Refusal, stopping};
use super::view;
use crate::api;
use crate::config::check_host_port;
use crate::proto::gossip::Guid;
use crate::proto::limits::MAX_DATAGRAM;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::sync::oneshot;

/// How long a peer may take to answer a ping, if nobody says, and at most.
const PING: Duration = Duration::from_secs(2);
const LONGEST_PING: Duration = Duration::from_secs(30);

impl Handle {
    /// All peers, as in NETWORK_STATUS.
    pub async fn peers(&self, network: Option<&str>) -> Result<Vec<api::Peer>, Refusal> {
        Ok(self.status_network(network).await?.peers)
    }

    /// One of them: who has this name, this address, or a GUID that begins so.
    pub async fn peer(&self, network: Option<&str>, who: &str) -> Result<api::Peer, Refusal> {
        let shown = self.meaning(self.network(network)?, who, |member, moment, guid| view::peer(member, moment, &guid));
        let gone = || Refusal::NotFound(format!("{who:?} is gone just now"));
        shown.await?.1.ok_or_else(gone)
    }

    /// Registers with another node and waits for its answer.
    pub async fn register(
        &self,
        network: Option<&str>,
        request: api::RegisterRequest,
    ) -> Result<api::Registered, Refusal> {
        let network = self.network(network)?;
        // Looking a name up may take longer than anybody wants to wait.
        let over = tokio::time::Instant::now() + Duration::from_millis(request.timeout_ms);
        let found = tokio::time::timeout_at(over, self.look_up(&request.address)).await;
        let late =
            |_| Refusal::Timeout(format!("{:?} was not looked up in time: no name server answers", request.address));
        let addr = found.map_err(late)?.map_err(Refusal::Invalid)?;
        if self.is_own(addr) {
            return Err(Refusal::Invalid(format!("{addr} is this very node: name another one")));
        }
        let (reply, answer) = oneshot::channel();
        let command = Command::Register { network: Some(network), addr, seed: false, reply: Some(reply) };
        self.send(command).await?;
        match tokio::time::timeout_at(over, answer).await {
            Ok(answer) => answer.map_err(|_| stopping()),
            Err(_) => Err(Refusal::Timeout(format!(
                "no answer from {addr}: it is unreachable, or has another network name or another password"
            ))),
        }
    }

    /// Greets a peer and waits for its answer.
    pub async fn ping(&self, query: api::PingQuery, who: &str) -> Result<api::Pong, Refusal> {
        let network = self.network(query.network.as_deref())?;
        let patience = query.timeout_ms.map_or(PING, Duration::from_millis).min(LONGEST_PING);
        let size = query.size.map(usize::from);
        if size.is_some_and(|size| size > MAX_DATAGRAM) {
            return Err(Refusal::Invalid(format!("size: a datagram has at most {MAX_DATAGRAM} bytes")));
        }
        let (reply, answer) = oneshot::channel();
        let asked = self.meaning(network, who, move |member, moment, guid| {
            member.pinging.ask(moment.clock.now(), &mut member.node, Ping { guid, size, reply });
            member.touch();
        });
        let (guid, ()) = asked.await?;
        match tokio::time::timeout(patience, answer).await {
            Ok(took) => {
                let rtt_ms = took.map_err(|_| stopping())?.as_secs_f64() * 1000.0;
                Ok(api::Pong { guid: guid.to_string(), rtt_ms, size: query.size })
            }
            Err(_) => {
                let waited = patience.as_secs_f64();
                Err(Refusal::Timeout(format!("{who} did not answer in {waited} s")))
            }
        }
    }

    /// Drops a peer that does not answer, here and on the disk.
    pub async fn forget(&self, network: Option<&str>, who: &str) -> Result<(), Refusal> {
        let network = self.network(network)?;
        let forgotten = self.meaning(network, who, |member, moment, guid| {
            member.touch();
            member.node.forget(moment.now, &guid)
        });
        match forgotten.await? {
            (_, true) => Ok(()),
            (guid, false) => Err(Refusal::InUse(format!("{who} ({guid}) answers, so it would be met again at once"))),
        }
    }

    /// Does something about the one peer that `who` means.
    async fn meaning<T: Send + 'static>(
        &self,
        network: usize,
        who: &str,
        act: impl FnOnce(&mut Member, Moment, Guid) -> T + Send + 'static,
    ) -> Result<(Guid, T), Refusal> {
        let who = who.to_owned();
        self.look(network, move |member, moment| {
            let guid = meant(&member.node, &who)?;
            Ok((guid, act(member, moment, guid)))
        })
        .await?
    }

    /// Has every network register with a seed, for ever.
    pub(super) async fn plant(&self, seed: &str) -> Result<(), String> {
        let addr = self.look_up(seed).await?;
        // Nobody takes it back between the look at who wants it and the word to the nodes.
        let _turn = self.in_force.turn().await;
        if !self.in_force.loaded().file.seeds.iter().any(|other| other == seed) {
            return Ok(());
        }
        // One list of seeds may serve all hosts, the seeds themselves among them.
        if self.is_own(addr) {
            return Ok(());
        }
        self.in_force.planted(seed, addr);
        let command = Command::Register { network: None, addr, seed: true, reply: None };
        self.send(command).await.map_err(|refusal| refusal.to_string())
    }

    /// The first address of HOST:PORT that our socket can send to.
    async fn look_up(&self, address: &str) -> Result<SocketAddr, String> {
        let wrong = |why: &dyn fmt::Display| format!("{address:?} is no HOST:PORT that can be looked up: {why}");
        // What is none at all is refused in whatever time there is.
        check_host_port(address).map_err(|problem| wrong(&problem))?;
        let mut found = tokio::net::lookup_host(address).await.map_err(|error| wrong(&error))?;
        let ip = self.addr.ip();
        let fits = found.find(|addr| addr.is_ipv4() == ip.is_ipv4() && addr.port() != 0);
        fits.ok_or_else(|| format!("{address:?} has no address that a node bound to {ip} can reach"))
    }

    fn is_own(&self, addr: SocketAddr) -> bool {
        let is_host = |ip: IpAddr| {
            let all = if_addrs::get_if_addrs();
            ip.is_loopback() || all.is_ok_and(|all| all.iter().any(|interface| interface.ip() == ip))
        };
        let any = self.addr.ip().is_unspecified() && addr.port() == self.addr.port();
        addr == self.addr || any && is_host(addr.ip())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::seal::Secret;

    #[tokio::test]
    async fn a_node_at_all_addresses_of_its_host_knows_each_of_them_as_its_own() {
        let builder = crate::Daemon::builder().network("home").key(Secret([7; 32])).bind(([0, 0, 0, 0], 0));
        let daemon = builder.discovery(false).in_memory().start().await.unwrap();
        let handle = daemon.handle().control().clone();
        let port = daemon.addr().port();
        let hosts = if_addrs::get_if_addrs().unwrap().into_iter().map(|interface| interface.ip());
        let all = hosts.filter(IpAddr::is_ipv4).chain([IpAddr::from([127, 0, 0, 2])]);
        all.for_each(|ip| assert!(handle.is_own(SocketAddr::new(ip, port)), "{ip}"));
        assert!(!handle.is_own(SocketAddr::from(([192, 0, 2, 1], port))));
        assert!(!handle.is_own(SocketAddr::from(([127, 0, 0, 1], port ^ 1))));
    }
}
