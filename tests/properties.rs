//! What must hold of any bytes from outside, with random ones and with those that a search kept: see `fuzz/`.

#[path = "common/properties.rs"]
mod properties;

use gossip_node::proto::limits::MAX_DATAGRAM;
use proptest::collection::vec;
use proptest::prelude::*;
use std::fs;
use std::path::Path;

/// What a search kept for one target, smallest first.
fn kept(target: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = fs::read_dir(dir).expect("each target has some").map(|entry| fs::read(entry.unwrap().path()).unwrap());
    let mut files: Vec<Vec<u8>> = files.collect();
    files.sort_by_key(Vec::len);
    assert!(!files.is_empty());
    files
}

#[test]
fn what_was_kept_of_searches_still_holds() {
    kept("datagram").iter().for_each(|bytes| properties::datagram(bytes));
    kept("sequence").iter().for_each(|bytes| properties::sequence(bytes));
    kept("server_json").iter().for_each(|bytes| properties::server_json(bytes));
    kept("http_body").iter().for_each(|bytes| properties::http_body(bytes));
    let rows = properties::Rows::new();
    kept("stored_row").iter().for_each(|bytes| rows.hold(bytes));
}

/// Changes a text here and there, so that much of it is still understood.
fn changed(mut text: Vec<u8>, changes: &[(u16, u8)]) -> Vec<u8> {
    for &(at, to) in changes {
        let at = usize::from(at) % text.len().max(1);
        match (to % 4, text.get_mut(at)) {
            (0, Some(byte)) => *byte = to,
            (1, Some(_)) => drop(text.remove(at)),
            _ => text.insert(at, to),
        }
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bodies_have_one_encoding(bytes in vec(any::<u8>(), 0..MAX_DATAGRAM)) {
        properties::datagram(&bytes);
    }

    #[test]
    fn whatever_members_say_in_any_order_a_node_is_well(bytes in vec(any::<u8>(), 0..4000)) {
        properties::sequence(&bytes);
    }

    #[test]
    fn a_server_json_is_refused_or_written_as_it_was(at in 0..9usize, changes in vec(any::<(u16, u8)>(), 0..4)) {
        let kept = kept("server_json");
        properties::server_json(&changed(kept[at % kept.len()].clone(), &changes));
    }

    #[test]
    fn a_body_is_refused_or_written_as_it_was(at in 0..9usize, changes in vec(any::<(u16, u8)>(), 0..4)) {
        let kept = kept("http_body");
        properties::http_body(&changed(kept[at % kept.len()].clone(), &changes));
    }
}

#[test]
fn rows_that_somebody_wrote_over_are_no_records() {
    let rows = properties::Rows::new();
    proptest!(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() }, |(bytes in vec(any::<u8>(), 0..60))| {
        rows.hold(&bytes);
    });
}
