//! The protocol on one page.
//!
//! # What it guarantees
//!
//! Every record that a node accepted reaches every node that is connected to it for long enough, directly or through
//! others, however long it was away; no datagram counts twice or at a node that it was not for; without the network's
//! key nothing changes a node's state. *Pushes may be dropped by anyone; repairs are the guarantee*: every queue is
//! bounded and may drop what it likes, since the next digest finds the gap.
//!
//! # Messages
//!
//! The names are the specification's; `wire` has their bytes, `seal` the header and tag around them. `spec/decode.py` is
//! the same in another language; `wire/golden.txt` has a datagram of each kind, `spec/vectors.txt` keys, records and digests.
//!
//! | message | sent | answered by |
//! |---|---|---|
//! | REGISTER | to a seed, an address that a peer named, a peer that is probed and has no session, a dead one each second | CHALLENGE, then (with its cookie) REGISTERED |
//! | HELLO | each `gossip_timer` to the peer probed longest ago, and to up to `gossip_max_peer_count` peers whose ledger differs | HELLO_BACK: count and root of the ledger, news of peers, a page of the peer list where asked |
//! | HELLO_BACK | unasked, to three random peers each 200 ms while there is news of peers | nothing |
//! | HELLO_FOR | to three random peers, when a probe was not answered | HELLO_FOR: it answered, or it did not |
//! | RUMOR | a record just learnt, with a part of the ring, to the first live peer of each of up to five parts of ours | HEARD |
//! | HEARD | to acknowledge; to announce what is held while things go wrong; to ask who holds a record, and which parts of a long one | nothing, or HEARD |
//! | DID_YOU_HERE | when HELLO_BACK or REGISTERED shows another root; each 5 s at most while rumours flow and are acknowledged | TELL_ME_MORE for what the receiver lacks, TELL for what the sender lacks |
//! | TELL_ME_MORE | while anything is lacking | TELL (records, heads, fragments), Symbols, Holding |
//! | NODES | when a HELLO names another network: asks for the nodes in it, page by page, after 4 s, 8 s, ... and then once a minute | NODES |
//! | LEAVE | when a node stops, to up to 32 peers, who pass it on | nothing |
//!
//! A RUMOR is range delegation (El-Ansary et al. 2003; Kadcast, Rohrer and Tschorsch 2019) with acknowledgements: all nodes
//! stand on a ring, each at a hash of its GUID. Who receives a record with a range of that ring cuts it into five parts and
//! sends the record to the first live peer of each, with the rest of the part. After two silences the rest goes to the
//! next peer of the part. A record that fits no datagram travels as its head, in two parts at each node, and its pieces
//! are pulled from whom the head came, as they come in there.
//!
//! HELLO is SWIM (Das, Gupta, Motivala 2002) with suspicion and Lifeguard (Dadgar, Phillips, Currey 2017).
//!
//! A DID_YOU_HERE is one datagram for a ledger of any size: 44 coded symbols of a rateless IBLT and an estimator of the
//! difference (Yang, Gilad, Alizadeh: *Practical Rateless Set Reconciliation*, SIGCOMM 2024). It settles up to 14
//! differences at once. Beyond, the receiver asks for more symbols of the set *as it was*, which the sender restores by
//! undoing its last changes; where the estimate says that nearly all differs, it pages the sender's ledger instead.
//!
//! # Discovery
//!
//! A node tells its links that it is there by *beacons*, at a port that all daemons share; `beacon` has their bytes. They
//! are no datagrams of a session, and nothing is believed of them: a fresh beacon of a node that we do not know in this
//! run of it, or that counts as dead, is answered by one REGISTER to the address that it came from. Known peers and seeds
//! are registered with all the same, so beacons matter only to those who do not know each other yet. The answers are few,
//! since a beacon can be recorded and replayed from any address: they go to sources on a link of this host alone, of N
//! nodes each answers with probability min(1, 8/N), each source once in 10 s, ten a second in all. A beacon of a network
//! with the name of ours and another password is recognised by its name tag and told to people.
//!
//! # Forgetting
//!
//! What is held follows from the set of records and from one date, the *horizon* (see `retention`): HELLO carries it, a
//! node follows the highest, at most one step past its own clock's, and what is older leaves. Records of kind *network
//! settings* and *forget* (see `decree`) say how long things are kept and who is forgotten; none of them is taken by a
//! forget, and the latest settings never age. What left is neither asked for nor taken in; what a peer's horizon excludes
//! is not told to it.
//!
//! Nodes that were told settings by their configuration, and find none 10 s after their start in a peer that holds what
//! they hold (or know nobody), make a record of them that is dated 0 and has no origin: the same at all of them. A node
//! that was not reached for `origin_timeout` is forgotten first by the next live node on the ring behind it, and by each
//! following one two looks (of a 64th of that time) later if need be.
//!
//! # Keys
//!
//! A network has a ring of up to four keys: all open, one, the primary, seals; a header's `key_id` says which. A password
//! changes in three steps, each at any node at any time: the new key is accepted everywhere, then the primary everywhere,
//! then the old one goes. Sessions, counters and replay windows know nothing of keys, so they go on; see `keyring` for why
//! that lets no recording count. Root and symbols are made under a key, so a ledger has a sketch for each, and *the key of
//! the datagram that carries them says which one they speak of*: a root is compared with ours under that key, a digest is
//! subtracted from our symbols under it, and symbols are asked for and answered under it, whatever the primaries are. The
//! sketch of a key that comes later is built in steps along the index, and the key becomes the primary only when it is
//! whole. A node that lacks the key of a datagram is silent, as to any stranger: nothing is sent under another key to suit
//! somebody who has not got the new one yet.
//!
//! # Timers
//!
//! | what | when | where |
//! |---|---|---|
//! | round | each `gossip_timer`, 10 % jitter | `peers` |
//! | probe | again each 100 to 300 ms, by three RTT; after 300 ms through others too, who repeat it each 100 ms, for 300 to 600 ms; all times (local health + 1); then the peer is suspected | `peers` |
//! | suspicion | 2 s x log10 of the number of nodes (at least 32), up to four times that while fewer than three others confirm it; then the peer is dead | `peers` |
//! | REGISTER again | one dead peer or seed a second, for ever, and 64 a second of those said to be back; seeds and addresses that others name after 0.25 s, doubling to 30 s, the latter 7 times | `peers` |
//! | lists of peers that differ | for 10 s: paged, once a minute at most; by a newcomer at once, and again after 1 s or 30 ms for each page that it asked for, for 10 s, and up to 60 s until its list is equal to another's | `peers` |
//! | rumour again | smoothed RTT + 4 variances + 5 ms, at least 10 ms, times 1, 1, 2, 2, 3, 3; then the peer gets each record once and alone for 10 s, or until it is heard of | `rumors` |
//! | acknowledgement | after half a round trip, at most 5 ms; 5 ms after the one before | `rumors` |
//! | announcement | each 20 ms with news, for 10 s after a silence, a late range or a repair | `rumors` |
//! | pull of what was announced | 5 ms, or three round trips | `rumors` |
//! | cuts of the ring drawn anew | 10 to 60 s, when records flow | `rumors` |
//! | ask again | smoothed RTT + 4 variances (RFC 6298), at least 20 ms, doubling | `fetches`, `repairs` |
//! | next digest with the same peer | after 0.9 `gossip_timer`, at least 270 ms, at most 0.9 s | `repairs` |
//! | nodes of another network | asked for again after 4 s, 8 s, ... 60 s, a lost page after 5 s; forgotten 600 s after they were named last | `beyond` |
//! | step of a sketch | 2,048 records, each 1 ms | `ledger` |
//! | cookies | 120 to 240 s | `session` |
//! | beacon | within 0.2 s of the start or of a change of interfaces, then after 1 s, doubling to 30 s, 20 % jitter | `beacon` |
//! | last beacon of a node remembered | 300 s | `beacon` |
//!
//! # Who is trusted with what
//!
//! The key proves membership, no more: any member can read all, say anything under any WHO_NAME, and speak for the
//! network. It cannot forge a record under an existing GUID (the GUID is derived from the content), replay, or make a
//! node keep more than `limits` allows. A member can grind GUIDs that cancel out of root and digest, and so hide his
//! own records from repair; and one who forwards datagrams in real time can move a peer's address to himself.
//!
//! # Deviations from the specification
//!
//! - Node-to-node functions (RECEIVE_HELLO, RECEIVE_DID_YOU_HERE, RECEIVE_TELL_ME_MORE) are UDP only: the control API
//!   takes registrations, creations and status calls.
//! - The call-back after REGISTER is immediate instead of waiting for `gossip_timer`: the handshake is it.
//! - DID_YOU_HERE sends a digest instead of the list of GUIDs, and only to peers whose root differs.
//! - A GUID is derived from the content instead of drawn, so nothing can be forged under it.
//! - The password never appears on a command line, on the wire, or in `server.json`, which keeps the derived key.
//!
//! # Deviations from the design
//!
//! - Two kinds of datagrams, `Symbols` (13) and `Holding` (14), answer TELL_ME_MORE's two ways of asking on after a
//!   digest, so that each fills its datagram; a digest carries the length of the sender's prefix instead of the index of
//!   its first symbol, which is always 0.
//! - REGISTER does not name a listen address: a node sends from the socket that it listens on.
//! - Pieces under way and records on their way to the disk share the bound of 4 MiB, so there are 48 slabs, not 64.
//! - One ledger is paged from one peer at a time, up to 1,120 GUIDs a request, instead of in disjoint spans from several.
//! - A beacon names GUID and epoch, not the session: whom others named and who was not met yet is no stranger, or in a
//!   large network each beacon would open sessions that nobody needs.
//!
//! - A handshake that lost a datagram goes on from the CHALLENGE that came, for 10 s: it needs two datagrams then, not four.
//! - A dead peer comes back by a handshake, or by the word of three peers, each at an address of its own, who say that it
//!   is back in a later incarnation: the rule by which a newcomer is listed. By handshakes alone, two halves of a network
//!   that find each other again would need one for each pair of nodes, which took five thousand nodes 78 s and 20,000
//!   datagrams each; and who reaches a node only through others would hold it for dead for ever. Only what a node believes
//!   is passed on, so one of the three has met it, or all three lie.
//! - Of those among whom more than half must be reached before one is forgotten, a node counts itself and the silent one:
//!   else in a network of three nobody ever could be.
//! - A forget ages as any record does, since all that it covers is older; so do settings that were replaced.
//! - Where `max_age` is changed the horizon is found anew, and may be earlier: what somebody still holds comes again.
//!
//! - A probe is repeated as often as answers could have come, and others are asked only when the longest time for an
//!   answer is over: a lost HELLO or REGISTER is no sign of death. Else each suspicion, which takes every node some thirty
//!   datagrams to hear of and to hear the end of, would make networks with loss the louder, the larger they are.
//! - A node that hears of a suspicion probes the suspect itself with probability 8 / (number of nodes), so that
//!   confirmations do not wait for everybody's turn.
//! - Where the news of peers fills several datagrams, they go to up to twelve peers each 200 ms: after a crash of many
//!   the last to be told of would be known as dead seconds later than the first.
//! - Where probes have a period of their own (the `fast` profile), one in three goes to the next peer on the ring: the
//!   first probe of a node that died comes within three periods, where by chance alone one in fifty takes four and more.
//! - Whom a node heard itself within 2 s does not die by others' words: it is suspected and may object.
//! - The hash of a peer list takes a node's own address from what others say of it.
//! - Announcements are made only in times of trouble (a silence, a late range, a repair within 10 s): where all rumours
//!   are acknowledged they would say only what is known, and be a third of all datagrams.
//! - A silent peer still gets each record once: without that, one silence of six at 20 % loss kept records from it for 10 s.
//! - At the first silence the one who takes the range over at the second is greeted, where there is no session with it.
//! - Among at most 30 peers a range is cut by their number, so the last two hops are even; sessions with the next 30 on
//!   the ring are opened beforehand, two a second.
//! - An acknowledgement waits for company: half a round trip, and no longer than its gap.
//! - Heads of records that fit no datagram are handed to two children, not to five of which two are served at a time; a
//!   child hears which pieces its parent has (HEARD), and asks for no others.
//! - Digests leave what was learnt less than a second ago to the rumours, and are rare while these flow.

pub mod beacon;
pub mod beyond;
pub mod decree;
pub mod fact;
pub mod fetches;
pub mod gossip;
pub mod keyring;
pub mod ledger;
pub mod limits;
pub mod node;
pub mod peers;
pub mod pings;
pub mod receipts;
pub mod repairs;
pub mod retention;
pub mod ring;
pub mod rtt;
pub mod rumors;
pub mod seal;
pub mod session;
pub mod settings;
pub mod sketch;
pub mod stats;
pub mod time;
pub mod versions;
pub mod wire;
