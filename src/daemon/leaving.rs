//! Goodbye: said to some who listen, who tell the others; and whether they heard, as far as that is known soon. Where
//! nobody hears, the others find out by themselves.

use super::engine::Engine;
use super::handle::{Handle, Refusal, stopping};
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
    /// Asks whoever runs this daemon to stop it, as a signal would, and tells what became of the goodbye.
    pub async fn leave(&self) -> Result<api::Left, Refusal> {
        // A demonstration ends all of its nodes itself, and so may others who run a daemon in their program.
        if self.leave.receiver_count() == 0 {
            let why = "whoever runs this daemon ends it himself: it is part of another program, or stopping already";
            return Err(Refusal::Conflict(why.to_owned()));
        }
        let mut farewell = self.farewell.clone();
        self.leave.send_replace(true);
        let left = farewell.wait_for(Option::is_some).await.map_err(|_| stopping())?;
        left.ok_or_else(stopping)
    }

    /// Returns when somebody asked the daemon to leave: whoever runs it then stops it.
    pub fn asked_to_leave(&self) -> impl Future<Output = ()> + use<> {
        // From here on, not from when it is first waited for.
        let mut leave = self.leave.subscribe();
        async move {
            // The sender goes only with the daemon.
            let _ = leave.wait_for(|&leave| leave).await;
        }
    }
}

impl Engine {
    /// Says it, and asks who heard.
    pub(super) async fn say_goodbye(&mut self) -> api::Left {
        let now = self.clock.now();
        let mut silent: BTreeSet<(usize, Guid, SocketAddr)> = BTreeSet::new();
        for (index, member) in self.members.iter_mut().enumerate() {
            let told = member.node.leave(now, false);
            let peers = member.node.peers();
            silent.extend(told.into_iter().filter_map(|guid| Some((index, guid, peers.peer(&guid)?.addr))));
        }
        let told = silent.len();
        for time in 0..TIMES {
            let now = self.clock.now();
            for &(index, guid, _) in &silent {
                if let Some(member) = self.members.get_mut(index) {
                    member.node.ask_goodbye(now, guid, false, time > 0);
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
