//! [`Stage`]: a demonstration's own route. Somebody says there what its nodes are to suffer; the demonstration sees to it.

use super::body::Told;
use super::problem::{hinted, problem};
use crate::api::{self, Problem};
use axum::Extension;
use axum::http::StatusCode;
use axum::response::Json;
use std::sync::Arc;
use tokio::sync::watch;

/// Most that may be lost: beyond, there is nothing to see.
const LOSS: f64 = 0.9;
/// Longest delay.
const DELAY_MS: u64 = 1000;

/// What is wanted of a demonstration, and how it is.
#[derive(Clone, Debug, Default)]
pub struct Stage {
    chaos: Arc<watch::Sender<api::Chaos>>,
}

impl Stage {
    /// The demonstration's nodes are these, all of them up; the first serves the page.
    pub fn cast(&self, nodes: Vec<api::DemoNode>) {
        self.chaos.send_modify(|chaos| chaos.nodes = nodes);
    }

    /// What is wanted, and each change of it.
    pub fn subscribe(&self) -> watch::Receiver<api::Chaos> {
        self.chaos.subscribe()
    }

    /// A node runs from now on, or does not.
    pub fn is_up(&self, name: &str, up: bool) {
        self.chaos.send_modify(|chaos| {
            chaos.nodes.iter_mut().filter(|node| node.name == name).for_each(|node| node.up = up);
        });
    }

    fn change(&self, change: api::ChaosChange) -> Result<api::Chaos, Problem> {
        let wrong = |why: String| problem(StatusCode::BAD_REQUEST, why);
        if change.loss.is_some_and(|loss| !(0.0..=LOSS).contains(&loss)) {
            return Err(wrong(format!("loss must be from 0 to {LOSS}")));
        }
        if change.delay_ms.is_some_and(|delay| delay > DELAY_MS) {
            return Err(wrong(format!("delay_ms must be at most {DELAY_MS}")));
        }
        if let Some(dead) = &change.dead {
            let nodes = &self.chaos.borrow().nodes;
            let known = |name: &String| nodes.iter().any(|node| node.name == *name);
            if let Some(name) = dead.iter().find(|name| !known(name)) {
                return Err(wrong(format!("there is no node {name:?} here")));
            }
            if let Some(first) = nodes.first().filter(|first| dead.contains(&first.name)) {
                return Err(wrong(format!("{} serves this page: it has to live", first.name)));
            }
        }
        self.chaos.send_modify(|chaos| {
            chaos.loss = change.loss.unwrap_or(chaos.loss);
            chaos.delay_ms = change.delay_ms.unwrap_or(chaos.delay_ms);
            chaos.split = change.split.unwrap_or(chaos.split);
            if let Some(dead) = change.dead {
                chaos.nodes.iter_mut().for_each(|node| node.dead = dead.contains(&node.name));
            }
        });
        Ok(self.chaos.borrow().clone())
    }
}

/// Where a daemon is no part of a demonstration, it has no stage.
pub(super) type OnStage = Extension<Option<Stage>>;

fn on_stage(stage: Option<Stage>) -> Result<Stage, Problem> {
    stage.ok_or_else(|| {
        let detail = "this daemon works for real: it has no network to play with";
        hinted(StatusCode::NOT_FOUND, detail, "`gossip-node demo --chaos` has one")
    })
}

/// How a demonstration is.
#[cfg_attr(test, utoipa::path(get, path = "/demo", tag = "node", responses((status = 200, body = api::Chaos), super::described::Problems)))]
pub(super) async fn chaos(Extension(stage): OnStage) -> Result<Json<api::Chaos>, Problem> {
    Ok(Json(on_stage(stage)?.chaos.borrow().clone()))
}

/// How a demonstration is to be from now on.
#[cfg_attr(test, utoipa::path(put, path = "/demo", tag = "node", request_body = api::ChaosChange,
    responses((status = 200, body = api::Chaos), super::described::Problems)))]
pub(super) async fn change(
    Extension(stage): OnStage,
    Told(change): Told<api::ChaosChange>,
) -> Result<Json<api::Chaos>, Problem> {
    Ok(Json(on_stage(stage)?.change(change)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage() -> Stage {
        let node =
            |name: &str| api::DemoNode { name: name.into(), guid: String::new(), side: 'a', dead: false, up: true };
        let stage = Stage::default();
        stage.cast(vec![node("node-1"), node("node-2"), node("node-3")]);
        stage
    }

    #[test]
    fn what_is_absent_stays_as_it_is() {
        let stage = stage();
        let loss = api::ChaosChange { loss: Some(0.2), ..Default::default() };
        let split = api::ChaosChange { split: Some(true), dead: Some(vec!["node-3".into()]), ..Default::default() };
        stage.change(loss).unwrap();
        let chaos = stage.change(split).unwrap();
        assert!(chaos.loss == 0.2 && chaos.split && chaos.delay_ms == 0);
        assert_eq!(chaos.nodes.iter().map(|node| node.dead).collect::<Vec<_>>(), [false, false, true]);
        let alive = api::ChaosChange { dead: Some(vec![]), ..Default::default() };
        assert!(stage.change(alive).unwrap().nodes.iter().all(|node| !node.dead));
    }

    #[test]
    fn what_makes_no_sense_changes_nothing() {
        let stage = stage();
        let before = stage.chaos.borrow().clone();
        let dead =
            |name: &str| api::ChaosChange { dead: Some(vec![name.into()]), loss: Some(0.5), ..Default::default() };
        let wrong = [
            api::ChaosChange { loss: Some(1.0), ..Default::default() },
            api::ChaosChange { loss: Some(f64::NAN), ..Default::default() },
            api::ChaosChange { delay_ms: Some(1001), ..Default::default() },
            dead("node-4"),
            dead("node-1"),
        ];
        for change in wrong {
            assert_eq!(stage.change(change.clone()).unwrap_err().status, 400, "{change:?}");
        }
        assert_eq!(*stage.chaos.borrow(), before);
    }
}
