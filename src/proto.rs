//! The protocol on one page: what another implementation has to do to be a node. `spec/vectors.txt` has keys, records,
//! digests and hashes of lists to try it with, `src/proto/wire/golden.txt` a datagram of each kind (its secret is 32
//! bytes of 7). `spec/decode.py` reads all of it by what this page says, with Python's standard library, but for the
//! line `password`, since Argon2id is not in that; `tests/spec.rs` holds the two against each other.
//!
//! # What it guarantees
//!
//! Every record that a node accepted reaches every node that is connected to it for long enough, directly or through
//! others, however long it was away; no datagram counts twice or at a node that it was not for; without the network's
//! key nothing changes a node's state, but for two hints to people: that a neighbour speaks another version, or has
//! another password. *Pushes may be dropped by anyone; repairs are the guarantee*: every queue is bounded and may drop
//! what it likes, since the next digest finds the gap.
//!
//! # Words
//!
//! Integers are little-endian and of fixed width; a *uN* has N bits. Times are u64 microseconds, since 1970 UTC for
//! dates, since any moment for a node's own clock. SHA-256, HMAC (RFC 2104) and HKDF (RFC 5869) are with SHA-256;
//! *truncated* keeps the first bytes. SipHash-2-4 is the reference one, its 128-bit form that of its authors (low word
//! first). Text is the bytes as they were given, in UTF-8 where it is a name or MSG, never normalised; a password is
//! its bytes without a line end.
//!
//! # Keys
//!
//! *secret* = Argon2id (version 0x13, 64 MiB, t = 3, p = 4, 32 bytes) of the password, with the first 16 bytes of
//! SHA-256("gossip-node/1 salt\0" + network name) as its salt. Of it HKDF, with the salt "gossip-node/1" and these infos,
//! makes `mac` (32 bytes), `key id` (4), `digest` (16), `beacon mac` (32) and `beacon cipher` (32).
//!
//! A network has a ring of up to four keys: all open, one, the primary, seals; a header's `key_id` says which. A
//! password changes in three steps, each at any node at any time: the new key is accepted everywhere, then the primary
//! everywhere, then the old one goes. Sessions, counters and replay windows know nothing of keys, so they go on; no
//! recording counts by that, since both sessions and the counter stand in the header that every key authenticates. Root
//! and symbols are made under a key, so a ledger has a sketch for each, and *the key of the datagram that carries them
//! says which one they speak of*: a root is compared with ours under that key, a digest is subtracted from our symbols
//! under it, and symbols are asked for and answered under it, whatever the primaries are. The sketch of a key that
//! comes later is built in steps along the index, and the key becomes the primary only when it is whole. A node that
//! lacks the key of a datagram is silent, as to any stranger: nothing is sent under another key to suit somebody who
//! has not got the new one yet.
//!
//! # Datagrams
//!
//! One UDP datagram of 48 to 1,472 bytes (a node sends up to its `max_datagram`, 1,200 unless it is told otherwise): a
//! header of 32 bytes, a body, and a tag of 16: HMAC under `mac` over header and body, truncated.
//!
//! | off | size | field |
//! |---|---|---|
//! | 0 | 1 | `0x67` ('g') |
//! | 1 | 1 | protocol version, 1 |
//! | 2 | 1 | kind |
//! | 3 | 1 | flags, 0 |
//! | 4 | 4 | `key_id` |
//! | 8 | 8 | `src_session`, the sender's: random, never 0, new at each start |
//! | 16 | 8 | `dst_session`, the receiver's; 0 only in a first REGISTER |
//! | 24 | 8 | `counter`: rises with each datagram from one session to another, from 1 on; 0 in a CHALLENGE |
//!
//! A body is its kind's fields, one behind the other, and ends with the last. `guid`, `key` (date u64, guid), `range`
//! (two u64) and `state` (count u64, root 16 bytes) have 16, 24, 16 and 24 bytes. `addr` is 16 bytes of IPv6 (IPv4 as
//! `::ffff:a.b.c.d`) and a u16 port; `bool` one byte, 0 or 1; `[T; n]` n items, `[T ≤ n]` a u16 count of at most n and
//! the items; `name` a u16 count of 1 to 64 and as many bytes of UTF-8, not only characters of Unicode's White_Space,
//! no control character (Cc) and none of U+061C, U+200B to 200F, U+2028 to 202E, U+2060 to 206F, U+FEFF; `T?` a byte 0,
//! or a byte 1 and T; a *word* one byte, its place in the list given, from 0.
//!
//! | kind | message | body |
//! |---|---|---|
//! | 1 | REGISTER | guid, name, epoch u64, incarnation u32, cookie 16 bytes (0 at first), padding \[0 ≤ 224\], to 224 bytes in all |
//! | 2 | CHALLENGE | cookie 16 bytes, echo u64 |
//! | 3 | REGISTERED | echo u64, guid, name, epoch u64, incarnation u32, seen addr, state |
//! | 4, 5 | HELLO, HELLO_BACK | stamp u64, state, horizon u64, list (count u32, hash u64), incarnation u32, health u8, clock u64, updates \[update ≤ 24\], page_ask (range, known \[u32 ≤ 192\])?, page (range, \[card ≤ 24\], strange \[u32 ≤ 192\])?, networks \[name ≤ 4\], padding \[0 ≤ 1472\] |
//! | 6 | HELLO_FOR | stamp u64, guid, addr, word of *probe, answered, silent* |
//! | 7 | DID_YOU_HERE | change u64, count u32, root 8 bytes, prefix u32, \[symbol; 44\], estimator \[i16; 36\] |
//! | 8 | TELL_ME_MORE | guids \[guid ≤ 64\], pieces \[guid, piece u16, fragments u64 ≤ 16\], symbols (change u64, first u32, chunks u64)?, page (id u32, after key, pages u8)? |
//! | 9 | TELL | records \[record ≤ 32\], heads \[head ≤ 16\], fragments \[guid, piece u16, index u8, bytes \[u8 ≤ 1024\] ≤ 8\], lacking \[guid ≤ 64\] |
//! | 10 | RUMOR | got \[guid ≤ 70\], records \[range, hops u8, record ≤ 32\], heads \[range, hops u8, head ≤ 8\] |
//! | 11 | HEARD | got, holds, asks: \[guid ≤ 70\] each, parts \[guid, list bool, pieces \[u64; 4\] ≤ 8\] |
//! | 12 | LEAVE | restarting bool |
//! | 13 | SYMBOLS | change u64, chunk u16, \[symbol ≤ 47\] |
//! | 14 | HOLDING | answer u32, page u8, next key, last bool, \[guid ≤ 70\] |
//! | 15 | NODES | network name, after guid, ask bool, last bool, \[card ≤ 24\] |
//!
//! - *card*: guid, addr, incarnation u32, name.
//! - *update*: guid, addr, incarnation u32, word of *alive, suspect, dead, left, restarting*, accuser u32.
//! - *symbol*: sum 16 bytes, check u64.
//! - *record*: guid, kind u8, date_time u64, origin guid, who_name name, msg \[u8 ≤ 1472\].
//! - *head*: guid, kind u8, date_time u64, origin guid, who_name name, len u32, sha2 32 bytes, pieces 32 bytes.
//!
//! **What is ignored in silence**, in this order, and counted by cause: another length, first byte, version or flags,
//! an unknown `key_id`, a wrong tag, what the rules of sessions refuse (our own `src_session` among it), an unknown
//! kind, a body with a count above its bound, a word out of its list, a name that is none, or a byte too few or too
//! many, and of one node more than 400,000 a second. Of kinds 1 to 3 the body comes before the session. Records and
//! heads in a good body are verified one by one; one that is not what its GUID says counts as not held by its sender.
//!
//! # Records
//!
//! A record is immutable: kind (0 message, 1 forget, 2 network settings), date_time, origin (the node that made it),
//! who_name, MSG: 1 byte to 16 MiB of UTF-8, for kinds 1 and 2 at most 256 bytes. *sha2* is SHA-256 of MSG. *pieces* is
//! 32 bytes of 0 where MSG has at most 64 KiB, else SHA-256 of the list: the SHA-256 of each piece of 64 KiB, the last
//! one shorter. Its *guid* is the start of SHA-256("gossip-node/1 guid\0" + kind u8 + date_time + origin + length of
//! who_name u8 + who_name + length of MSG u32 + sha2 + pieces), 16 bytes with the version (high half of byte 6) set to
//! 8 and the variant (high two bits of byte 8) to binary 10. Whether a record is valid follows from its bytes alone.
//! The dates of a creator's messages never repeat nor go back. The MSG of other kinds is two lines, each with a
//! newline, in this one form:
//!
//! - kind 1: `origin GUID` (hyphenated, lower case), `up_to MICROSECONDS`, not above its own date_time;
//! - kind 2: `max_age MICROSECONDS`, `origin_timeout MICROSECONDS`; 0 for none, else 1 s to 10,000 days.
//!
//! A record that fits a TELL of its sender goes whole, another one as its head; then MSG is asked for in pieces (number
//! 65,535 is the list), each in fragments of 1,024 bytes, bit i of `fragments` for the i-th. A piece counts when it
//! matches the list, the list when it matches the head: then it is kept, and served to who asks; the record counts when
//! MSG matches sha2. Who does not hold what it is asked for says so (`lacking`); who is still fetching it says what it
//! has, in `parts` of HEARD, each time that it has more: bit i % 64 of word i / 64 there is piece i, `list` that it has
//! the list, all bits that it has the whole record. What it says replaces what it said before: nothing else of that
//! record is asked of it until it says more.
//!
//! # Sessions
//!
//! ```text
//! A                                                   B
//! | REGISTER    to session 0, counter a1             |  nothing remembered
//! |------------------------------------------------->|
//! |           CHALLENGE   to A, echo a1, cookie      |  nothing remembered
//! |<-------------------------------------------------|
//! | REGISTER    to B, counter a2, cookie             |  B installs A, floor a2
//! |------------------------------------------------->|
//! |           REGISTERED  to B's A, counter b, echo a2  A installs B, floor b
//! |<-------------------------------------------------|
//! ```
//!
//! - A node sends from the socket that it listens on. An *epoch* is kept on disk and rises with each start. A *cookie*
//!   is whatever lets its maker know again, without remembering anybody, that it gave it to this `src_session` at this
//!   address in the last 120 s (here: HMAC under a key of the process over span, address and session, counting in its
//!   span of 120 s and the next).
//! - A REGISTER to session 0 or to one that is not ours gets a CHALLENGE, and so does any other datagram to another
//!   session than ours, of a session that is not installed, or whose counter is more than 2^20 above the highest seen:
//!   if it has at least 80 bytes, and at most 1,000 a second. Its `echo` is the counter that it answers, its
//!   `dst_session` the `src_session`. A CHALLENGE or REGISTERED is never challenged; to another session than ours it is
//!   ignored.
//! - A CHALLENGE counts if its echo is the counter of a REGISTER sent to where it comes from in the last 5 s (once), or
//!   of another datagram sent there lately (one a second and peer): then REGISTER goes there with its cookie, to its
//!   session. For 10 s a cookie that came serves further REGISTERs to its address.
//! - A REGISTER with a good cookie to our session, and a REGISTERED whose echo is that of a REGISTER to this session and
//!   address in the last 5 s, *install* the sender's session for its guid, in place of an older one if (epoch, session)
//!   is greater, or it is the same session with a higher counter, or the older one was silent for 300 s. Its address is
//!   where the datagram came from, and its counter the floor: what is not above it counts as seen. Where the session was
//!   installed already, what was seen of it stays known instead. REGISTERED is the answer.
//! - A guid that is ours, in a REGISTER with a good cookie: the side with the lesser (epoch, session) takes a new
//!   random GUID (UUIDv4) and a new session, keeps its epoch and its records, and registers with all again. The other
//!   one refuses, and registers with the sender, which finds out so. A REGISTERED with our guid is ignored. Who refuses
//!   a REGISTER for its order, of another session and from another address than the installed one, names that address to
//!   the installed node in a HELLO without news, by a `page` of one card that nobody asked for, once a second at most;
//!   who is named itself at another address registers there.
//! - After that, a datagram to our session counts if its counter is above the floor, less than 2,048 below the highest
//!   seen, and new. What comes from another address than the session's is taken, and answered there by a CHALLENGE alone;
//!   the address changes when a REGISTER comes from it. Answers go to the session's address, never elsewhere.
//! - An evicted session is remembered for 300 s, so that it still orders the next of its guid; counters to a session that
//!   was forgotten start above all that were ever given.
//! - Who counts as dead or left has no session any more: what it sends is challenged, so it learns of it and registers
//!   anew; who said goodbye takes the CHALLENGE as proof that it was heard.
//!
//! # Digests
//!
//! Each GUID has a *hash*: SipHash-2-4-128 under the `digest` key, two u64 *low* and *high*. The *root* of a set is the
//! sum of all hashes as u128 (high * 2^64 + low) modulo 2^128. Counter i of the *estimator* is, modulo 2^16, the sum of
//! +1 for each GUID with bit 28 + i of high set, else -1; the mean square of the differences of two estimators is about
//! how many GUIDs differ. A *symbol* is the XOR of all GUIDs that are mapped to it, and of (high | 1) of each. A GUID is
//! mapped to symbol 0, then on by SplitMix64 with the state low (all modulo 2^64, division and `>>` rounding down):
//!
//! ```text
//! state += 0x9E3779B97F4A7C15
//! z = (state ^ state >> 30) * 0xBF58476D1CE4E5B9;  z = (z ^ z >> 27) * 0x94D049BB133111EB;  z ^= z >> 31
//! index = (root(z) * (2 * index + 3) - 2^27) >> 28
//!
//! root(z):  z |= 2^32;  shift = 0;  while z < 2^56: z <<= 8, shift += 4
//!           k = z >> 54;  part = z >> 22 & 0xFFFFFFFF;  t(k) = floor(sqrt(floor(2^64 / k)))
//!           (t(k) - ((t(k) - t(k + 1)) * part >> 32)) << shift
//! ```
//!
//! The XOR of two sets' symbols are the symbols of their difference; one whose check is that of its sum holds one GUID,
//! which is taken off all its symbols, and so on until all are zero (Yang, Gilad, Alizadeh: *Practical Rateless Set
//! Reconciliation*, SIGCOMM 2024). A GUID may only be taken off symbols that are not zero: else somebody made them up.
//!
//! **DID_YOU_HERE** goes to a peer whose state in HELLO_BACK or REGISTERED has another root or count; `change` numbers
//! the set that all of it speaks of, `count` is modulo 2^32, `root` the first 8 bytes of the root as in `state` (its
//! low half), `prefix` is how many symbols its sender keeps: a power of two, 1,024 to 65,536, about twice its records.
//! It settles 14 differences in 99 of 100 cases. What is found and the receiver lacks it asks for, what the sender
//! lacks it tells: records up to 64, GUIDs in HOLDING (answer 0) beyond, none that is older than the sender's horizon,
//! and what it learnt less than a second ago only in `holds` of HEARD. Where the symbols do not suffice, it asks for
//! *chunks* of the same set: chunk k is the symbols from 44 + 47 k on, and bit i of `chunks` asks for chunk `first` +
//! i. A chunk ends where the prefix ends; a shorter one is the last. The asked one undoes its last changes (4,096 can
//! be), and answers with a new DID_YOU_HERE where it cannot; 2^64 - 1 is the change of no set, so who asks for it
//! (`first` 0, `chunks` 1) asks for a new digest, as when its own set has moved too far. 1.4 times the estimate and 20
//! are wanted at first, then an eighth more, at least 47. Where the estimate is above 0.45 of the larger set, or
//! symbols beyond either prefix were needed, or a round began again three times, the receiver *pages*: `page` asks for
//! up to 16 pages of 70 GUIDs behind a (date, guid); HOLDING repeats its id, numbers the pages from 0, says where the
//! next begins, and `last` where the ledger ends.
//!
//! # The ring and rumours
//!
//! A node stands at the first 8 bytes of SHA-256 of its GUID, *big-endian*, on a ring of 2^64 places. A range is the
//! places from its first up to and without its second, around the end where that is less; equal ends: none.
//!
//! A RUMOR is range delegation (El-Ansary et al. 2003; Kadcast, Rohrer and Tschorsch 2019) with acknowledgements. Who
//! makes a record has the range of all places but his own; who receives one with a range cuts that into up to five
//! parts (`gossip_max_peer_count`; two for a head) and sends the record to the first live peer of each, with the rest
//! of the part behind that peer and one hop more. Any cut is a good one (here of at most 30 peers by their number, of
//! six for a head, so that the last two hops are even). The GUID is acknowledged in `got` of HEARD or RUMOR, unless the
//! disk cannot take it: what is too old or forgotten as well, though it is not kept, a head once it came, but not what
//! is not what its GUID says. After two silences the rest goes to the next peer of the part (which is greeted at the
//! first, where there is no session with it), after six nothing more. A node that has a record already acknowledges it,
//! and serves its first range if it learnt the record in the last 30 s. Sessions with the next 30 on the ring are
//! opened beforehand, two a second. Pieces of a head are asked of who sent it. `holds` of HEARD names records on disk,
//! `asks` asks for that, now or when it is so.
//!
//! # Peers
//!
//! HELLO is SWIM (Das, Gupta, Motivala 2002) with suspicion and Lifeguard (Dadgar, Phillips, Currey 2017). Its stamp is
//! the sender's own clock; HELLO_BACK repeats it, or has 2^64 - 1 where it answers nothing. A HELLO with padding gets a
//! HELLO_BACK of its size that says nothing of others. `clock` is the sender's date, for people alone; `incarnation`
//! and `health`, 0 (well) to 7, are the sender's, and nothing follows from the latter; `networks` are the other
//! networks that it is in. `seen` of REGISTERED is where its sender saw the other.
//!
//! `list` is how many nodes the sender lists as alive, itself and suspects included, and the sum modulo 2^64 of
//! SipHash-2-4 (64 bits, key 0) over guid, incarnation u32 and addr of each. Its own address there is `seen` of the
//! last REGISTERED (until then what an *alive* of it says; none known: it is counted and left out of the sum); a peer's
//! is where its datagrams come from, or where it was named before any came; an IPv6 address of a link counts without
//! the link.
//!
//! Lists are made equal by parts of the ring. `page_ask` names a part, and with the lower 32 bits of those hashes whom
//! the asker lists there (left out: whom it asks, and whose name it does not know and so is told). The answer is up to
//! three pages, the first in the HELLO_BACK that answers, the others in HELLO_BACKs that answer nothing: the cards of
//! whom the asker lacks and whose name is known (the asker left out), each page with the range that it covers, one
//! behind the other, and in the first, where all of the part was looked at, `strange`: whom the asker lists alone. They
//! may have died without its hearing of it, so it probes them; and who then suspects one that others hold for dead in
//! that incarnation is told so. A card counts as an *alive* of that incarnation, asked for or not. A page whose range
//! is empty or leaves the part asked for is the last; what is behind the third page is asked for again.
//!
//! - An *incarnation* is made by its node alone: at a start the seconds since 1970, and one above whatever others said
//!   of it: a suspicion or a death in its own, an *alive* in a later one. That in REGISTER, REGISTERED, HELLO and
//!   HELLO_BACK counts as an *alive* of the sender.
//! - *alive* counts where its incarnation is later; it ends a suspicion, and has a dead node registered with. *suspect*
//!   and *dead* count where theirs is not earlier, *left* and *restarting* too. A node heard from in the last 2 s does
//!   not die by others' words, it is suspected. A stale word is answered by the later *alive*. Who shakes hands in the
//!   incarnation in which it counted as dead or left is told that death in each HELLO and HELLO_BACK until it names a
//!   later one; a suspect stays one after a handshake, until it names a later one.
//! - *accuser* is the first 4 bytes of the place of who found out, big-endian as a number; different ones confirm a
//!   suspicion.
//! - A node that is not listed is once it was met, or three peers at different addresses (IP and port) named it (one,
//!   where fewer than eight are listed). A dead one comes back by a handshake, or if three such peers say so; after 24
//!   h it is neither listed nor tried any more, and a split that lasts longer heals by a seed, a beacon or a start. Who
//!   shakes hands at the address of another peer takes its place: that one counts as left, which is passed on to
//!   nobody. No word of others refreshes when a peer was heard. An address that is named is used only if it is unicast
//!   and has a port from 1024 on, one of loopback or of a link only if its teller is there too.
//! - A node passes on, as an update of its own, each change in what it believes of another: met for the first time or
//!   in a later incarnation, suspected (by each of its first four accusers), dead, left or restarting by its own word,
//!   listed since enough updates named it; not who was listed from a card. What it passed on of that node before ends
//!   with it.
//! - Each update is sent 4 * ceil(log10(nodes + 1)) times; by a newcomer, *alive* of another node only until eight
//!   peers, at different addresses, had an equal list in HELLO_BACK since any such news came. What is said of the
//!   receiver itself is said to it always.
//! - HELLO_FOR *probe* asks to greet a node for its sender. A helper greets only whom it lists, and where it lists it;
//!   its answer repeats stamp and guid: *answered*, with the address where it is reached, or *silent* after 240 ms, and
//!   *answered* still if that comes within 900 ms. The same *probe* once more is no other one: what was said of it is
//!   said again, *silent* at once, and after *answered* it begins anew.
//! - LEAVE makes its sender *left*, or *restarting* where it says so, which the receiver passes on; its sender answers
//!   neither REGISTER nor CHALLENGE any more.
//! - NODES is for people alone: who hears a network's name in HELLO asks (`ask`) for the nodes behind `after`, 0 at
//!   first, in the order of GUIDs. The answer repeats network and `after`, has `ask` 0, and `last` where nothing
//!   follows; any other is ignored. Of a network that one is not in or does not share nothing is said.
//!
//! # When what is sent
//!
//! | message | sent | answered by |
//! |---|---|---|
//! | REGISTER | to a seed, an address that a peer named, a peer that is probed and has no session, a dead one each second | CHALLENGE, then (with its cookie) REGISTERED |
//! | HELLO | each `gossip_timer`, and at least each 1 s, to the peer probed longest ago; each `gossip_timer` to up to `gossip_max_peer_count` - 1 others whose ledger differs; to a suspect, with probability 8 / (number of nodes), by who hears of the suspicion | HELLO_BACK: count and root of the ledger, news of peers, up to three pages of the peer list where asked |
//! | HELLO_BACK | unasked, to three random peers each 200 ms while there is news of peers; to up to twelve where it fills several datagrams, but not by a newcomer | nothing |
//! | HELLO_FOR | to three random peers, when a probe was not answered; to those of them who say nothing, as often as the probe itself is repeated | HELLO_FOR: it answered, or it did not |
//! | RUMOR | a record just learnt, with a part of the ring, to the first live peer of each of up to five parts of ours | HEARD |
//! | HEARD | to acknowledge; to announce what is held while things go wrong; to ask who holds a record, and which parts of a long one | nothing, or HEARD |
//! | DID_YOU_HERE | when HELLO_BACK or REGISTERED shows another root; each 5 s at most while rumours flow and are acknowledged | TELL_ME_MORE for what the receiver lacks, TELL for what the sender lacks |
//! | TELL_ME_MORE | while anything is lacking | TELL (records, heads, fragments), SYMBOLS or DID_YOU_HERE, HOLDING |
//! | NODES | when a HELLO names another network: asks for the nodes in it, page by page, after 4 s, 8 s, ... and then once a minute | NODES |
//! | LEAVE | when a node stops, to up to 32 peers, who pass it on | nothing |
//!
//! # Discovery
//!
//! A node tells its links that it is there by *beacons* of 52 bytes to port 6885 (of all daemons alike). One bound to
//! IPv4 sends them to 239.255.103.110 with TTL 1 and to the broadcast address of each link (its last address, not
//! 255.255.255.255), one bound to IPv6 to ff12::676f:7373:6970 alone, with hop limit 1; from this host's address on
//! that link, which need not be at `port`. One sent to any other address, or from beyond the link, is ignored. They are
//! no datagrams of a session:
//!
//! | off | size | field |
//! |---|---|---|
//! | 0 | 1 | `0x62` ('b') |
//! | 1 | 1 | protocol version, 1 |
//! | 2 | 16 | tag: HMAC under `beacon mac` over the two bytes before and what is said, truncated |
//! | 18 | 30 | what is said (guid, epoch u64, counter u32, port u16), XOR the start of HMAC under `beacon cipher` over the tag |
//! | 48 | 4 | name tag: HMAC over all before, truncated; its key is SHA-256("gossip-node/1 name tag\0" + network name) |
//!
//! Nothing is believed of them: a fresh beacon (of a later epoch, or a higher counter, than the last one) of a node
//! that we do not know in this run of it (whom others named is known), or that counts as dead, is answered by one
//! REGISTER to the address that it came from, at `port`. The answers are few, since a beacon can be recorded and
//! replayed from any address: of N nodes each answers with probability min(1, 8/N), each source once in 10 s, ten a
//! second in all. One with a good name tag and another tag is of a network with the name of ours and another password:
//! people hear of that.
//!
//! # Forgetting
//!
//! What is held follows from the set of records and from one date, the *horizon*. The latest settings by (date_time,
//! guid) hold, and never age. Where they name a max_age, records with a date before the horizon leave, are not asked
//! for and not taken in. A node's own horizon is its clock less max_age, down to a multiple of a step (max_age / 64,
//! rounded down, at least 1); HELLO carries the horizon (0: none), and a node follows the highest that it hears, down
//! to a multiple of the step and at most one step past its own; where it is more than two steps past that (a clock was
//! set back, or max_age is another) it is found anew. A forget takes all messages (kind 0) of its `origin` with dates
//! up to `up_to`; the node that it names leaves the list of peers too, unless it counts as alive. What a node creates
//! is dated behind the latest forget of it and not before the horizon; settings behind those that hold.
//!
//! Nodes that were told settings by their configuration, and find none 10 s after their start in a peer that holds what
//! they hold (or know nobody), make a record of them that is dated 0, by WHO_NAME "server.json" and an origin of 0: the
//! same at all of them. A node that was not reached for `origin_timeout` is forgotten first by the next live node on
//! the ring behind it, and by each following one two looks later if need be (a look: a 64th of that time, at least 100
//! ms and at most 60 s; from the ninth on together); only who reaches more than half of those that it knew then, itself
//! and the silent one included, forgets anybody by itself.
//!
//! # Timers
//!
//! As the profile `lan` has them with a `gossip_timer` of 1 s; none has to be equal at two nodes.
//!
//! | what | when |
//! |---|---|
//! | round | each `gossip_timer`, 10 % jitter; where probes have a shorter period (`fast`: 700 ms), one in three goes to the next peer on the ring |
//! | probe | again each 100 to 300 ms, by three RTT; after 300 ms through others too, who repeat it each 100 ms, for 300 to 600 ms; all times (local health + 1); then the peer is suspected |
//! | suspicion | 2 s x log10 of the number of nodes (at least 32), up to four times that while fewer than three others confirm it, and anew for one that was heard meanwhile; then the peer is dead |
//! | REGISTER again | one dead peer a second, each for 24 h and again after a start (one that said goodbye for good in one turn of eight), one a minute of the 64 that left the list last, for ever, and 64 a second of those said to be back; seeds that nobody alive is at after 0.25 s, doubling to 5 s, for ever; addresses that others name after 0.25 s, doubling to 30 s, 7 times |
//! | lists of peers that differ | for 10 s: paged, again after 20 s, 40 s, then each minute; by a newcomer at once, and again after 400 ms or 5 ms for each page that came (it greets somebody if nobody speaks for so long), for 10 s, and up to 60 s until its list is equal to another's |
//! | rumour again | smoothed RTT + 4 variances + 5 ms, at least 10 ms, times 1, 1, 2, 2, 3, 3; then the peer gets each record once and alone for 10 s, or until it is heard of |
//! | acknowledgement | after half a round trip, at most 5 ms; 5 ms after the one before |
//! | announcement | each 20 ms with news, for 10 s after a silence, a late range or a repair |
//! | pull of what was announced | 5 ms, or three round trips |
//! | cuts of the ring drawn anew | 10 to 60 s, when records flow |
//! | ask again | 250 ms, or smoothed RTT + 4 variances (RFC 6298) or half of it, at least 20 ms; doubling, up to 4 s |
//! | next digest with the same peer | after 0.9 `gossip_timer`, at least 270 ms, at most 0.9 s; not before three RTT, at most 5 s, nor before 3 s while something is still to come of it |
//! | nodes of another network | asked for again after 4 s, 8 s, ... 60 s, a lost page after 5 s; forgotten 600 s after they were named last |
//! | beacon | within 0.2 s of the start or of a change of interfaces, then after 1 s, doubling to 30 s, 20 % jitter |
//! | last beacon of a node remembered | 300 s |
//!
//! # Who is trusted with what
//!
//! The key proves membership, no more: any member can read all, say anything under any WHO_NAME, and speak for the
//! network. It cannot forge a record under an existing GUID (the GUID is derived from the content), replay, or make a
//! node keep more than its bounds. A member can grind GUIDs that cancel out of root and digest, and so hide his own
//! records from repair; and one who forwards datagrams in real time can move a peer's address to himself.

pub mod beacon;
pub mod beyond;
pub mod decree;
pub mod fact;
mod fetches;
pub mod gossip;
pub mod keyring;
pub mod ledger;
pub mod limits;
pub mod node;
pub mod peers;
mod pings;
mod receipts;
pub mod repairs;
pub mod retention;
pub mod ring;
pub mod rtt;
mod rule;
mod rumors;
pub mod seal;
pub(crate) mod session;
pub mod settings;
pub mod sketch;
pub mod stats;
pub mod time;
pub(crate) mod unordered;
pub mod versions;
pub mod wire;
