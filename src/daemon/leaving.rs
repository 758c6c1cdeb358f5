//! Goodbye: said to some who listen, who tell the others; and whether they heard, as far as that is known soon. Where
//! nobody hears, the others find out by themselves.

use super::engine::Engine;
use super::handle::Handle;
use super::refusal::{Refusal, stopping};
use crate::api;
use crate::proto::gossip::Guid;
use crate::proto::seal::claimed_kind;
use crate::proto::stats::Rejected;
use crate::proto::wire::CHALLENGE;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

/// How often it is said and asked about.
const TIMES: u32 = 3;
/// How long to wait for answers each time.
const PATIENCE: Duration = Duration::from_millis(100);

impl Handle {
    /// Asks whoever runs this daemon to stop it, as a signal would, and tells what became of the goodbye; where it comes
    /// back at once, the others are told that it is `restarting`.
    pub async fn leave(&self, restarting: bool) -> Result<api::Left, Refusal> {
        let mut farewell = self.farewell.clone();
        // Where another has asked before, both are told the same.
        if self.leave.borrow().is_none() {
            if self.is_stopping() {
                return Err(stopping());
            }
            // A demonstration ends all of its nodes itself, and so may others who run a daemon in their program.
            if self.leave.receiver_count() == 0 {
                let why = "whoever runs this daemon ends it himself: it is part of another program";
                return Err(Refusal::Conflict(why.to_owned()));
            }
            self.leave.send_replace(Some(restarting));
        }
        let left = farewell.wait_for(Option::is_some).await.map_err(|_| stopping())?;
        left.ok_or_else(stopping)
    }

    /// Returns when somebody asked the daemon to leave: whoever runs it then stops it.
    pub fn asked_to_leave(&self) -> impl Future<Output = ()> + use<> {
        // From here on, not from when it is first waited for.
        let mut leave = self.leave.subscribe();
        async move {
            // The sender goes only with the daemon.
            let _ = leave.wait_for(Option::is_some).await;
        }
    }
}

impl Engine {
    /// Says it, and asks who heard.
    pub(super) async fn say_goodbye(&mut self) -> api::Left {
        let (now, restarting) = (self.clock.now(), self.leave.borrow().unwrap_or(false));
        let mut silent: BTreeSet<(usize, Guid, SocketAddr)> = BTreeSet::new();
        for (index, member) in self.members.iter_mut().enumerate() {
            let told = member.node.leave(now, restarting);
            let peers = member.node.peers();
            silent.extend(told.into_iter().filter_map(|guid| Some((index, guid, peers.peer(&guid)?.addr))));
        }
        let told = silent.len();
        for time in 0..TIMES {
            let now = self.clock.now();
            for &(index, guid, _) in &silent {
                if let Some(member) = self.members.get_mut(index) {
                    member.node.ask_goodbye(now, guid, restarting, time > 0);
                }
            }
            self.members.iter_mut().for_each(|member| member.touched = true);
            self.settle();
            // What fails here ends the waiting, and no more.
            let _ = tokio::time::timeout(PATIENCE, self.listen(&mut silent)).await;
            if silent.is_empty() {
                break;
            }
        }
        api::Left { told: told as u64, heard: (told - silent.len()) as u64 }
    }

    /// Hears who heard, until all have.
    async fn listen(&mut self, silent: &mut BTreeSet<(usize, Guid, SocketAddr)>) {
        while !silent.is_empty() {
            let Engine { socket, members, clock, .. } = self;
            if socket.readable().await.is_err() {
                return;
            }
            let now = clock.now();
            let received = socket.receive(|from, datagram| {
                for (index, member) in members.iter_mut().enumerate() {
                    let taken = member.node.handle_datagram(now, from, datagram);
                    // A CHALLENGE of somebody who has no session with us, though we asked for none.
                    if taken == Err(Rejected::Echo) && claimed_kind(datagram) == Some(CHALLENGE) {
                        silent.retain(|&(of, _, addr)| of != index || addr != from);
                    }
                }
            });
            if received.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Home;
    use crate::proto::seal::Secret;

    #[tokio::test]
    async fn whoever_asks_twice_is_told_the_same_though_it_has_left() {
        let (mut daemon, handle) = Handle::alone().await;
        let (one, other) = tokio::join!(handle.leave(false), handle.leave(true));
        assert_eq!((one.unwrap(), other.unwrap()), (api::Left { told: 0, heard: 0 }, api::Left { told: 0, heard: 0 }));
        daemon.stopped().await.unwrap();
        daemon.stopped().await.unwrap();
        assert!(handle.leave(false).await.is_ok(), "it has left");
    }

    #[tokio::test]
    async fn a_daemon_whose_start_nobody_waits_for_leaves_its_home_to_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let make = || {
            let builder = crate::Daemon::builder().network("home").key(Secret([7; 32])).bind(([127, 0, 0, 1], 0));
            builder.home(dir.path().join("home"))
        };
        make().start().await.unwrap().leave().await.unwrap();
        let home = Home::new(dir.path().join("home"));
        drop(crate::daemon::Daemon::start(home.clone()).await.unwrap());
        let again = async {
            loop {
                match crate::daemon::Daemon::start(home.clone()).await {
                    Ok(daemon) => break daemon,
                    Err(error) => assert!(error.to_string().contains("in use"), "{error}"),
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let daemon = tokio::time::timeout(Duration::from_secs(20), again).await.expect("its home is never free again");
        daemon.handle().stop();
        daemon.stopped().await.unwrap();
    }
}
