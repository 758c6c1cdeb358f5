use gossip_node::sim::Network;
use std::time::Duration;
#[test]
fn long() {
    for (n, size) in [(25usize, 20_000), (25, 500_000), (25, 4 << 20)] {
        let mut net = Network::new(1);
        net.check = size < 1_000_000;
        let all = net.add_cluster(n);
        net.run(Duration::from_secs(20));
        let before: Vec<_> = all.iter().map(|&i| net.node(i).stats()).collect();
        let t0 = net.now();
        let msg: Vec<u8> = (0..size).map(|i| b'a' + (i as u64 * i as u64 % 23) as u8).collect();
        net.create(3, msg).unwrap();
        for k in [1usize, 2, 13, n] {
            let ok = net.run_until(Duration::from_secs(30), |net| all.iter().filter(|&&i| net.node(i).ledger().state().count >= 1).count() >= k);
            eprintln!("size {size} {k} nodes at {:?} {ok}", net.now().since(t0));
        }
        let tells: Vec<u64> = all.iter().zip(&before).map(|(&i, b)| net.node(i).stats().tell_sent - b.tell_sent).collect();
        eprintln!("tells {tells:?}");
        let sum = |f: &dyn Fn(&gossip_node::proto::stats::Stats) -> u64| all.iter().zip(&before).map(|(&i, b)| f(&net.node(i).stats()) - f(b)).sum::<u64>();
        eprintln!("asks {} heard {} unwanted {} repeated {} frag {}", sum(&|s| s.tell_me_more_sent), sum(&|s| s.heard_sent), sum(&|s| s.fragments_unwanted), sum(&|s| s.requests_repeated), sum(&|s| s.fragments_received));
    }
}
