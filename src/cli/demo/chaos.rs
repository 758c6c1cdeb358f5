//! [`Chaos`]: what the stage of a demonstration wants, done to its nodes and to the datagrams between them.

use super::cluster::Node;
use crate::api;
use crate::cli::failure::Failure;
use crate::cli::running::{Amid, Running};
use crate::http::Stage;
use crate::net::Faults;
use std::time::Duration;
use tokio::sync::watch;

/// See the module.
pub struct Chaos {
    stage: Stage,
    wanted: watch::Receiver<api::Chaos>,
    faults: watch::Sender<Faults>,
    /// What was done last.
    done: api::Chaos,
}

impl Default for Chaos {
    fn default() -> Chaos {
        let stage = Stage::default();
        Chaos { wanted: stage.subscribe(), stage, faults: watch::Sender::default(), done: api::Chaos::default() }
    }
}

impl Chaos {
    /// What a node has to be started amid.
    pub fn amid(&self) -> Amid {
        Amid { faults: Some(self.faults.subscribe()), stage: Some(self.stage.clone()) }
    }

    /// These are the nodes. The second half of them is on the other side of a split.
    pub fn cast(&self, nodes: &[Node]) {
        let side = |at: usize| if at < nodes.len().div_ceil(2) { 'a' } else { 'b' };
        let cast = nodes.iter().enumerate().map(|(at, node)| api::DemoNode {
            name: node.name.clone(),
            guid: node.guid.to_string(),
            side: side(at),
            dead: false,
            up: true,
        });
        self.stage.cast(cast.collect());
    }

    /// Returns when something else is wanted. May be dropped while it waits.
    pub async fn changed(&mut self) {
        if self.wanted.changed().await.is_err() {
            std::future::pending().await
        }
    }

    /// Does what is wanted, and tells what it did. Who dies is cut off first, so that nobody hears its goodbye.
    pub async fn befall(&mut self, nodes: &mut [Node]) -> Result<Vec<String>, Failure> {
        let chaos = self.wanted.borrow_and_update().clone();
        self.faults.send_replace(faults(&chaos, nodes));
        let mut events = told(&self.done, &chaos);
        for (node, wanted) in nodes.iter_mut().zip(&chaos.nodes) {
            match (wanted.dead, node.running.take()) {
                (true, Some(running)) => {
                    running.stop().await?;
                    self.stage.is_up(&node.name, false);
                    events.push(format!("{} died", node.name));
                }
                (false, None) => {
                    node.running = Some(Running::start_amid(node.home.clone(), self.amid()).await?);
                    self.stage.is_up(&node.name, true);
                    events.push(format!("{} is back", node.name));
                }
                (_, as_it_is) => node.running = as_it_is,
            }
        }
        self.done = chaos;
        Ok(events)
    }
}

fn faults(chaos: &api::Chaos, nodes: &[Node]) -> Faults {
    let those = |which: fn(&api::DemoNode) -> bool| {
        let both = nodes.iter().zip(&chaos.nodes);
        both.filter(|(_, wanted)| which(wanted)).map(|(node, _)| node.address).collect()
    };
    Faults {
        loss: chaos.loss,
        delay: Duration::from_millis(chaos.delay_ms),
        apart: if chaos.split { those(|node| node.side == 'b') } else { Default::default() },
        cut: those(|node| node.dead),
    }
}

fn told(before: &api::Chaos, after: &api::Chaos) -> Vec<String> {
    let mut told = Vec::new();
    if before.loss != after.loss {
        told.push(format!("{:.0} % of the datagrams are lost", after.loss * 100.0));
    }
    if before.delay_ms != after.delay_ms {
        told.push(format!("datagrams take {} ms longer", after.delay_ms));
    }
    if before.split != after.split {
        told.push(if after.split { "the network is split in two" } else { "the split is over" }.to_owned());
    }
    told
}
