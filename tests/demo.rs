//! The story of `demo --chaos`: a newcomer kills a node and splits the network from its page, and watches it heal.

#[path = "common/cluster.rs"]
mod cluster;
#[path = "common/demo.rs"]
mod demo;

use cluster::{block_on, eventually};
use demo::Demo;
use gossip_node::api::{ChaosChange, Reach, WaitQuery};
use gossip_node::client::ClientError;

#[test]
fn a_node_dies_and_comes_back_and_a_split_heals() {
    let demo = Demo::start(&["--chaos", "--nodes", "4"]);
    let (clients, first) = (&demo.clients, &demo.clients[0]);
    let change = |change: ChaosChange| block_on(first.change_chaos(&change)).unwrap();
    let reach = |name: &str| {
        let status = block_on(first.status_network()).unwrap();
        status.peers.iter().find(|peer| peer.name == name).map(|peer| peer.reach)
    };
    let all_hold = |count: u64| {
        let query = WaitQuery {
            peers: Some(3),
            gossip: Some(count),
            in_sync: true,
            timeout_ms: 60_000,
            ..WaitQuery::default()
        };
        clients.iter().for_each(|client| assert!(block_on(client.wait(query.clone())).unwrap().holds));
    };
    assert!(block_on(first.node()).unwrap().demo);

    change(ChaosChange { dead: Some(vec!["node-4".into()]), ..Default::default() });
    eventually("the others notice that node-4 is dead, not that it left", || {
        reach("node-4") == Some(Reach::Unreachable)
    });
    assert!(block_on(clients[3].node()).is_err());
    block_on(first.add(None, "while one was dead".into())).unwrap();
    change(ChaosChange { dead: Some(vec![]), ..Default::default() });
    eventually("node-4 is up", || block_on(first.chaos()).unwrap().nodes.iter().all(|node| node.up));
    all_hold(5);

    let split = change(ChaosChange { split: Some(true), loss: Some(0.05), delay_ms: Some(5), ..Default::default() });
    assert_eq!(split.nodes.iter().map(|node| node.side).collect::<String>(), "aabb");
    eventually("the sides lose each other", || reach("node-3") == Some(Reach::Unreachable));
    assert_eq!(reach("node-2"), Some(Reach::Reachable));
    block_on(clients[0].add(None, "on one side".into())).unwrap();
    block_on(clients[2].add(None, "on the other".into())).unwrap();
    change(ChaosChange { split: Some(false), ..Default::default() });
    all_hold(7);
}

#[test]
fn without_chaos_there_is_nothing_to_play_with() {
    let demo = Demo::start(&["--nodes", "2"]);
    let clients = &demo.clients;
    assert!(!block_on(clients[0].node()).unwrap().demo);
    match block_on(clients[0].change_chaos(&ChaosChange::default())) {
        Err(ClientError::Refused(problem)) => {
            assert_eq!(problem.status, 404);
            assert!(problem.hint.unwrap().contains("--chaos"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_is_left_where_its_terminal_is_closed() {
    let mut demo = Demo::start(&["--nodes", "2"]);
    let place = demo.homes[0].parent().unwrap().to_owned();
    assert!(place.exists());
    demo.hang_up();
    assert!(!place.exists(), "{} is left", place.display());
}
