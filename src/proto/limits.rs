//! Every bound of the protocol in one place, with its arithmetic; the relations between them are checked when the
//! crate compiles. A queue that is full drops what its owner's documentation says, and the next digest finds the gap.

use std::time::Duration;

/// Longest MSG of a record, in bytes.
pub const MAX_MSG: usize = 16 << 20;
/// Longest MSG of a record that is not a message.
pub const MAX_DECREE: usize = 256;
/// Longest WHO_NAME, node name or network name, in bytes of UTF-8.
pub const MAX_NAME: usize = 64;
/// A long MSG is fetched, verified, stored and served in pieces of this many bytes.
pub const PIECE: usize = 64 << 10;
/// Pieces of the longest MSG.
pub const MAX_PIECES: usize = MAX_MSG / PIECE;
/// A piece travels in fragments of this many bytes, one a datagram.
pub const FRAGMENT: usize = 1024;
/// Fragments of a piece: as many as a `u64` has bits, so that a bit set names any of them.
pub const FRAGMENTS: usize = PIECE / FRAGMENT;

/// Default and least size of the largest datagram, in bytes of UDP payload: fits IPv6's minimum MTU of 1,280.
pub const MIN_MAX_DATAGRAM: usize = 1200;
/// Greatest size that may be configured: Ethernet's 1,500 less 20 of IPv4 and 8 of UDP.
pub const MAX_DATAGRAM: usize = 1472;
/// Bytes in front of a datagram's body.
pub const HEADER: usize = 32;
/// Bytes of the authentication tag behind it.
pub const TAG: usize = 16;
/// Bytes of body in the smallest largest datagram.
pub const MIN_MAX_BODY: usize = MIN_MAX_DATAGRAM - HEADER - TAG;
/// What decoding one body may claim in memory: bincode counts the size of each element in memory against it.
pub const DECODE: usize = 16 << 10;
/// A CHALLENGE is never longer than what it answers, and nothing shorter than this is answered at all.
pub const MIN_CHALLENGED: usize = 80;
/// Every REGISTER is padded to this, so that no answer to it is longer.
pub const REGISTER_SIZE: usize = 224;
/// CHALLENGEs a second.
pub const CHALLENGES_PER_SECOND: u32 = 1000;

/// Symbols in a DID_YOU_HERE, which also carries the estimator.
pub const DIGEST_SYMBOLS: usize = 44;
/// Symbols in a datagram that continues a digest.
pub const MORE_SYMBOLS: usize = 47;
/// Counters of the size estimator.
pub const ESTIMATORS: usize = 36;
/// Least and greatest prefix of coded symbols that a ledger keeps. 65,536 symbols of 24 bytes are 1.6 MB and decode
/// about 47,000 differences.
pub const MIN_PREFIX: usize = 1024;
/// See [`MIN_PREFIX`].
pub const MAX_PREFIX: usize = 65_536;
/// Changes that a ledger can undo, to answer for a set as it was.
pub const UNDO: usize = 4096;
/// GUIDs in one page of a ledger.
pub const PAGE: usize = 70;
/// Pages that one TELL_ME_MORE may ask for.
pub const PAGES_PER_ASK: usize = 16;
/// Datagrams of symbols that one TELL_ME_MORE may ask for.
pub const SYMBOLS_PER_ASK: usize = 64;
/// GUIDs that one TELL_ME_MORE may ask for.
pub const GUIDS_PER_ASK: usize = 64;
/// Pieces that one TELL_ME_MORE may ask fragments of.
pub const PIECES_PER_ASK: usize = 16;

/// Keys of one network that a node accepts at once.
pub const KEYS: usize = 4;

/// Sessions at once; the least recently used goes.
pub const SESSIONS: usize = 16_384;
/// Sessions of one IP address.
pub const SESSIONS_PER_ADDRESS: usize = 64;
/// The same of this host's own address: a cluster on loopback is many nodes at one.
pub const SESSIONS_ON_LOOPBACK: usize = 1024;
/// Sessions that were evicted and are remembered, so that their recordings stay dead.
pub const TOMBSTONES: usize = 4096;
/// How long a tombstone stands, and how long a session must be silent before a lower epoch may replace it.
pub const TOMBSTONE: Duration = Duration::from_secs(300);
/// A cookie's secret is replaced this often; the one before still counts.
pub const COOKIE_SECRET: Duration = Duration::from_secs(120);
/// A CHALLENGE or REGISTERED counts only this long after what it answers.
pub const ECHO: Duration = Duration::from_secs(5);
/// How long a handshake may go on from a cookie that came; whoever gave it takes it for longer.
pub const FRESH_COOKIE: Duration = Duration::from_secs(10);
/// REGISTERs that wait for an answer, and cookies for more of them.
pub const PENDING_REGISTERS: usize = 1024;
/// Bits of the replay window.
pub const REPLAY_WINDOW: u64 = 2048;
/// A counter that is further above the highest one seen is not believed before a new handshake.
pub const COUNTER_LEAP: u64 = 1 << 20;
/// A CHALLENGE of an ordinary datagram is answered this often, for each peer.
pub const CHALLENGE_GAP: Duration = Duration::from_secs(1);

/// Peers that a node keeps.
pub const PEERS: usize = 16_384;
/// Addresses that a node was told of and has not met: as many as a hash table of 4,096 places has room for.
pub const HINTS: usize = 4096 / 8 * 7;
/// Addresses that one teller may have among them: more than it names in answer to one ask.
pub const HINTS_PER_TELLER: usize = 128;
/// Hints tried at once; others wait their turn.
pub const HINTS_PER_TURN: usize = 64;
/// Peers at different addresses that must name a node before it is listed without having been met.
pub const VOUCHES: usize = 3;
/// Where fewer peers are listed, the word of one is enough.
pub const FEW_PEERS: usize = 8;
/// Bytes of a listed peer, its key included and its name not: 64 B x 16,384 are 1 MiB.
pub const PEER_BYTES: usize = 64;
/// Peers of which more is kept than of all, since this node talks with them: about 250 bytes each, 256 KiB in all.
pub const CONTACTS: usize = 1024;
/// Nodes that have to confirm a suspicion before it takes the least time.
pub const CONFIRMATIONS: usize = 3;
/// Pieces of news of peers waiting to be passed on; of more, those sent most often are dropped.
pub const NEWS: usize = 1024;
/// Probes at once: the one that is due, and those of peers whom others suspect.
pub const PROBES: usize = 16;
/// Peers that others do not list and that wait to be probed; of more, those whom the next pages show again.
pub const QUESTIONS: usize = 64;
/// Indirect probes made for others at once; more are not made, and count against nobody.
pub const FAVOURS: usize = 64;
/// Peers of whose troubles a record is kept, and entries of each.
pub const CASES: usize = 128;
/// See [`CASES`].
pub const NOTES: usize = 12;
/// Dead peers whose return others announced that are registered with in a second, where no more of them wait.
pub const RETURNS_PER_SECOND: u64 = 64;
/// How long a dead peer stays on the list.
pub const DEAD: Duration = Duration::from_secs(24 * 3600);
/// Peers to whom a node that leaves says so itself; they tell the others.
pub const GOODBYES: usize = 32;
/// Parts of the ring that are paged at once.
pub const SPANS: usize = 8;
/// Times that one part is asked for: more than 16,384 peers in it would need.
pub const ASKS_PER_SPAN: usize = 512;
/// Pages that answer one ask, each in a datagram of its own.
pub const PAGES_PER_HELLO: usize = 3;
/// Neighbours on the ring that a newcomer greets first, half of them on each side.
pub const NEIGHBOURS: usize = 32;
/// Peers listed in one HELLO.
pub const CARDS: usize = 24;
/// Nodes of the part asked for that the asker says it lists already.
pub const KNOWN: usize = 192;
/// Pieces of news of peers in one HELLO.
pub const UPDATES: usize = 24;
/// Names of other networks in one HELLO; of more, some in turn.
pub const NETWORKS: usize = 4;

/// Other networks that peers named, of which something is kept for people: about 150 bytes a node, 300 KiB in all.
pub const FAR_NETWORKS: usize = 16;
/// Nodes of each of them.
pub const FAR_NODES: usize = 128;

/// GUIDs that a node wants and does not have yet.
pub const WANTED: usize = 65_536;
/// Of these, how many may wait for one peer: who holds much and gives nothing must leave room for others.
pub const WANTED_PER_PEER: usize = 16_384;
/// Long MSGs under way at once; others wait among the wanted.
pub const PARTIALS: usize = 256;
/// Pieces under reassembly or on their way to the disk, each in a slab of at most [`PIECE`] bytes: as many whole ones, or
/// more shorter ones of as many bytes.
pub const SLABS: usize = 48;
/// Whole slabs, or shorter ones of as many bytes, that one peer may be filling.
pub const SLABS_PER_PEER: usize = 4;
/// What a fact on its way to the disk takes in memory beside its bytes, about.
pub const FACT_OVERHEAD: usize = 256;
/// Bytes of records on their way to the disk, [`FACT_OVERHEAD`] for each among them; what comes beyond is dropped and
/// asked for again.
pub const ARRIVING: usize = 2 << 20;
/// Records that turned out not to match their own head and are not asked for again.
pub const CONDEMNED: usize = 1024;
/// Answers queued for one peer; more are dropped, and asked for again.
pub const ANSWERS_PER_PEER: usize = 4096;
/// Answers queued for all peers: some 12 MB.
pub const ANSWERS: usize = 1 << 16;
/// Small messages queued for all peers.
pub const OUTBOX: usize = 4096;
/// Records that a node tells unasked after one digest; about more it only says that it holds them.
pub const TOLD_UNASKED: usize = 64;
/// Digests being decoded at once.
pub const REPAIRS: usize = 16;

/// GUIDs in one HEARD.
pub const HEARD: usize = 70;
/// Records that a node learnt lately and may still have to pass on.
pub const RUMORS: usize = 32_768;
/// How long they are remembered: an older rumour must not set a tree off again.
pub const RUMOR_AGE: Duration = Duration::from_secs(30);
/// Peers at once to whom rumours are on their way.
pub const LANES: usize = 1024;
/// Rumours on their way to one peer; what comes beyond is left to announcements and digests.
pub const RUMORS_PER_LANE: usize = 4096;
/// GUIDs that peers announced, and that are given a moment to come by themselves.
pub const ANNOUNCED: usize = 4096;
/// Records that somebody waits to be told of when they are held, and those of which it is known who holds them.
pub const RECEIPTS: usize = 1024;

/// Records that leave the ledger, or the disk, with one fact: so many rows in one batch.
pub const LEAVING: usize = 256;
/// Records that were offered and refused, since they had left before they came, and are not asked for again.
pub const REFUSED: usize = 16_384;
/// Nodes whose silence is measured.
pub const SILENCES: usize = PEERS;

/// Neighbours remembered that speak another version of the protocol.
pub const VERSIONS: usize = 16;

/// Bytes of a beacon.
pub const BEACON_SIZE: usize = 52;
/// Nodes whose last beacon is remembered, so that a recording of it is not answered.
pub const BEACONS: usize = 1024;
/// Neighbours remembered that have a network of the same name and another password.
pub const NAMESAKES: usize = 16;
/// Nodes that answer one beacon, on the mean: all of them where they are fewer.
pub const ANSWERERS: usize = 8;
/// Beacons that a daemon answers in a second.
pub const BEACON_ANSWERS: usize = 10;
/// A beacon is answered this long after the last answer to the same source.
pub const BEACON_ANSWER_GAP: Duration = Duration::from_secs(10);

/// Datagrams that one peer may send in a second before the rest, though opened, is dropped: more than most disks take in of
/// it. A core with SHA instructions can open more; one without is busy with them before this is reached.
pub const DATAGRAMS_PER_PEER: u32 = 400_000;

const _: () = {
    assert!(FRAGMENTS == 64, "a piece's fragments are named by the bits of a u64");
    assert!(MAX_PIECES * PIECE == MAX_MSG);
    assert!(MAX_PIECES * 32 <= PIECE, "the list of a MSG's piece hashes fits one piece");
    assert!(MIN_MAX_DATAGRAM <= MAX_DATAGRAM);
    assert!(24 + DIGEST_SYMBOLS * 24 + ESTIMATORS * 2 == MIN_MAX_BODY, "a digest fills one datagram");
    assert!(12 + MORE_SYMBOLS * 24 <= MIN_MAX_BODY, "so does one that continues it");
    assert!(8 + 16 + 2 + 1 + 2 + FRAGMENT <= MIN_MAX_BODY, "a fragment fits a datagram");
    assert!(4 + 1 + 24 + 1 + 2 + PAGE * 16 <= MIN_MAX_BODY, "a page fits a datagram");
    assert!(WANTED_PER_PEER * 2 <= WANTED && PAGES_PER_ASK * PAGE * 4 <= WANTED_PER_PEER, "a span of pages finds room");
    assert!(8 + HEARD * 16 <= MIN_MAX_BODY, "HEARD fits a datagram");
    assert!(76 + UPDATES * 43 <= MIN_MAX_BODY, "a HELLO full of news fits a datagram");
    assert!(
        HINTS_PER_TELLER <= HINTS
            && PAGES_PER_HELLO * CARDS <= HINTS_PER_TELLER
            && FEW_PEERS <= PEERS
            && CONTACTS <= SESSIONS
    );
    assert!(8 + 2 + PIECES_PER_ASK * 26 <= MIN_MAX_BODY, "asking for pieces takes one datagram");
    assert!(DATAGRAMS_PER_PEER as usize * FRAGMENT >= 400_000_000, "a long message comes at 400 MB/s");
    assert!(SLABS * PIECE + ARRIVING <= 5 << 20, "all fetches together take at most 5 MiB");
    assert!(MIN_PREFIX.is_power_of_two() && MAX_PREFIX.is_power_of_two());
    assert!(REPLAY_WINDOW.is_multiple_of(64));
    assert!(FRESH_COOKIE.as_secs() < COOKIE_SECRET.as_secs());
    assert!(COUNTER_LEAP > REPLAY_WINDOW && CHALLENGE_GAP.as_micros() < ECHO.as_micros());
    assert!(COOKIE_SECRET.as_secs() * 2 <= TOMBSTONE.as_secs(), "a tombstone outlives every cookie");
    assert!(REGISTER_SIZE >= MIN_CHALLENGED && REGISTER_SIZE <= MIN_MAX_DATAGRAM);
    assert!(MAX_MSG <= u32::MAX as usize);
    assert!(MAX_NAME <= u8::MAX as usize, "a GUID's hash takes a name's length as one byte");
    assert!(MAX_DECREE + 16 + 1 + 8 + 16 + 2 + MAX_NAME + 2 + 100 <= MIN_MAX_BODY, "what is no message is never long");
};
