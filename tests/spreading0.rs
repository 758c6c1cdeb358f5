use gossip_node::sim::Network;
use std::time::Duration;
#[test]
fn try_it() {
    for (n, loss) in [(25usize, 0.0), (25, 0.1), (100, 0.0), (100, 0.01), (100, 0.1), (100, 0.2)] {
        let mut net = Network::new(1);
        net.check = n < 50;
        let all = net.add_cluster(n);
        net.run(Duration::from_secs(20));
        let live: usize = all.iter().map(|&i| net.node(i).peers().live()).sum();
        net.link.loss = loss;
        let before: Vec<_> = all.iter().map(|&i| net.node(i).stats()).collect();
        let mut lats = Vec::new();
        for r in 0..50 {
            let t0 = net.now();
            net.create(r * 7 % n, vec![b'x'; 200 - 3]).unwrap();
            let count = r as u64 + 1;
            let ok = net.run_until(Duration::from_secs(5), |net| {
                all.iter().all(|&i| net.node(i).ledger().state().count >= count)
            });
            lats.push((net.now().since(t0), ok));
        }
        net.run(Duration::from_secs(2));
        let sum = |f: &dyn Fn(&gossip_node::proto::stats::Stats) -> u64| -> f64 {
            all.iter().zip(&before).map(|(&i, b)| f(&net.node(i).stats()) - f(b)).sum::<u64>() as f64 / n as f64 / 50.0
        };
        lats.sort();
        eprintln!(
            "n {n} loss {loss} live {} rumor {:.3} heard {:.3} ask {:.3} tell {:.3} dyh {:.3} new {:.3} dup {:.3} rep {:.3} last p50 {:?} max {:?} hello {:.2} reg {:.2}",
            live as f64 / n as f64,
            sum(&|s| s.rumor_sent),
            sum(&|s| s.heard_sent),
            sum(&|s| s.tell_me_more_sent),
            sum(&|s| s.tell_sent),
            sum(&|s| s.did_you_here_sent),
            sum(&|s| s.records_received_new),
            sum(&|s| s.records_received_duplicate),
            sum(&|s| s.rumors_repeated),
            lats[25],
            lats[49],
            sum(&|s| s.hello_sent),
            sum(&|s| s.register_sent)
        );
        let mut hops = [0u64; 32];
        for &i in &all {
            for (h, c) in net.node(i).stats().hops.iter().enumerate() {
                hops[h] += c;
            }
        }
        eprintln!("hops {:?}", &hops[..12]);
    }
}
