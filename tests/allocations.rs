//! What the receive path allocates once it is warm, counted by an allocator that counts: nothing for what is refused or
//! was there before, one list for records that are known already, and for what is new no more than is kept of it.

#[path = "common/pair.rs"]
mod pair;

use allocation_counter::measure;
use bytes::BytesMut;
use gossip_node::proto::seal::Header;
use gossip_node::proto::wire::{List, Message, Record, Tell};
use pair::Pair;

/// Allocations of handling each of these in turn.
fn allocations(pair: &mut Pair, datagrams: &[Vec<u8>], accepted: bool) -> Vec<u64> {
    let (now, from) = (pair.now, pair.first.addr);
    let node = &mut pair.second.node;
    let handle = |datagram: &Vec<u8>| {
        let mut taken = Ok(());
        let counted = measure(|| taken = node.handle_datagram(now, from, datagram));
        assert_eq!(taken.is_ok(), accepted, "{taken:?}");
        counted.count_total
    };
    datagrams.iter().map(handle).collect()
}

#[test]
fn what_is_refused_allocates_nothing() {
    let mut pair = Pair::new();
    let datagrams = pair.write(20, 200);
    assert!(datagrams.len() >= 4, "rumours of 20 messages");
    let forged: Vec<Vec<u8>> = datagrams
        .iter()
        .map(|datagram| {
            let mut forged = datagram.clone();
            forged[40] ^= 1;
            forged
        })
        .collect();
    assert_eq!(allocations(&mut pair, &forged, false), vec![0; forged.len()]);
    let new = allocations(&mut pair, &datagrams, true);
    assert!(new.iter().all(|&count| count > 0), "what is new is kept: {new:?}");
    assert_eq!(allocations(&mut pair, &datagrams, false), vec![0; datagrams.len()], "replays");
}

#[test]
fn what_is_known_already_is_not_copied_out_of_its_datagram() {
    let mut pair = Pair::new();
    let datagrams = pair.write(20, 200);
    allocations(&mut pair, &datagrams, true);
    pair.second.settle(pair.now);
    // Told once more, by the same peer: the same records under counters of their own.
    let told = |datagram: &Vec<u8>| {
        let opened = pair.key.open(datagram).unwrap();
        let Ok(Message::Rumor(rumor)) = Message::decode(&opened) else { panic!("rumours were written") };
        let records: Vec<Record> = rumor.records.into_iter().map(|pushed| pushed.what).collect();
        let (count, message) = (records.len(), Message::Tell(Tell { records: List::new(records), ..Tell::default() }));
        let (header, mut told) = (*opened.header(), BytesMut::new());
        let header = Header { kind: message.kind(), counter: header.counter + 1000, ..header };
        pair.key.seal(&header, &mut told, |out| message.encode(out));
        (count, told.to_vec())
    };
    let (counts, told): (Vec<usize>, Vec<Vec<u8>>) = datagrams.iter().map(told).unzip();
    assert_eq!(counts.iter().sum::<usize>(), 20);
    let allocated = allocations(&mut pair, &told, true);
    // The first one has something else to do as well, after what its peer sent before.
    let lists = &allocated[1..];
    assert!(allocated[0] <= 2 && lists.iter().all(|&count| count == 1), "a list of records in each: {allocated:?}");
    assert_eq!(pair.second.node.stats().records_received_duplicate, 20);
}

#[test]
fn sealing_and_opening_allocate_nothing() {
    let pair = Pair::new();
    let header = Header { kind: 8, src_session: 1, dst_session: 2, counter: 3 };
    let (body, mut out) = ([7; 1152], BytesMut::with_capacity(1200));
    let counted = measure(|| {
        for _ in 0..100 {
            pair.key.seal(&header, &mut out, |out| out.extend_from_slice(&body));
            assert!(pair.key.open(&out).is_ok());
        }
    });
    assert_eq!(counted.count_total, 0);
}
