//! [`Stats`]: plain counters with names. A node counts everything that it drops, by cause.

use std::collections::BTreeMap;
use std::fmt;

macro_rules! rejections {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Why a datagram was dropped: the sender's fault, so it is small, counted, and never logged above debug.
        /// The checks are made in this order.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(usize)]
        pub enum Rejected { $($(#[$doc])* $name,)* }

        impl Rejected {
            /// All causes, in the order of the checks.
            pub const ALL: &[Rejected] = &[$(Rejected::$name,)*];

            /// The counter's name.
            pub fn name(self) -> &'static str {
                match self { $(Rejected::$name => $text,)* }
            }
        }
    };
}

rejections! {
    /// Shorter than header and tag, or longer than the longest datagram.
    Length = "rejected_length",
    /// Its first byte is not ours.
    Magic = "rejected_magic",
    /// A version that we do not speak, or flags that it does not have.
    Version = "rejected_version",
    /// It names a key that we do not have: it is of another network, or sealed with another password.
    KeyId = "rejected_key_id",
    /// Its tag is wrong: it was damaged on the way, or forged.
    Tag = "rejected_tag",
    /// Our own datagram came back.
    OwnEcho = "rejected_own_echo",
    /// It names a session that is not ours, or comes from one that we do not know.
    Session = "rejected_session",
    /// It was here before, or is older than the replay window.
    Replay = "rejected_replay",
    /// A kind that this version does not know or that has no place here.
    Kind = "rejected_kind",
    /// Its body is not what its kind promises.
    Body = "rejected_body",
    /// Its sender sent too much.
    Budget = "rejected_budget",
    /// An answer to something that we did not ask, or not lately.
    Echo = "rejected_echo",
    /// A cookie that we did not give to this address, or not lately.
    Cookie = "rejected_cookie",
    /// A session older than the one that we have with its node.
    Order = "rejected_order",
    /// A table is full of others who came first.
    Full = "rejected_full",
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::error::Error for Rejected {}

/// Hops that are told apart; what came through more counts as the last.
pub const HOPS: usize = 32;

macro_rules! counters {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        /// Counts since the node started.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Stats {
            $($(#[doc = $doc])* pub $name: u64,)*
            rejected: [u64; Rejected::ALL.len()],
            /// Records that were new and came as a rumour, by the number of nodes that they went through.
            pub hops: [u64; HOPS],
        }

        impl Stats {
            /// All counters of this node's own doing: name, count, and what is counted.
            pub fn described(&self) -> Vec<(&'static str, u64, &'static str)> {
                vec![$((stringify!($name), self.$name, concat!($($doc),*).trim_ascii()),)*]
            }

            /// All counters by name.
            pub fn by_name(&self) -> BTreeMap<&'static str, u64> {
                let own = [$((stringify!($name), self.$name),)*];
                own.into_iter().chain(Rejected::ALL.iter().map(|&r| (r.name(), self.rejected(r)))).collect()
            }
        }
    };
}

counters! {
    /// Datagrams given to the socket.
    datagrams_sent,
    /// Bytes of UDP payload given to the socket.
    bytes_sent,
    /// Datagrams that were authentic, fresh and understood.
    datagrams_received,
    /// Bytes of UDP payload of these.
    bytes_received,
    /// REGISTER sent.
    register_sent,
    /// CHALLENGE sent.
    challenge_sent,
    /// CHALLENGEs not sent since there had been too many.
    challenge_suppressed,
    /// HELLO and HELLO_BACK sent.
    hello_sent,
    /// HELLO_FOR sent: probes by way of others, and their answers.
    hello_for_sent,
    /// Datagrams of fresh records sent.
    rumor_sent,
    /// Datagrams sent that acknowledge rumours or say what is held.
    heard_sent,
    /// DID_YOU_HERE sent: digests.
    did_you_here_sent,
    /// DID_YOU_HERE received.
    did_you_here_received,
    /// TELL_ME_MORE sent.
    tell_me_more_sent,
    /// Datagrams of records and pieces sent.
    tell_sent,
    /// Datagrams of further coded symbols sent.
    symbols_sent,
    /// Datagrams that list GUIDs sent.
    holding_sent,
    /// Digests that were decoded.
    digests_decoded,
    /// Digests given up for pages of the other's ledger.
    digests_paged,
    /// Digests begun again since the set had moved too far.
    digests_restarted,
    /// Differences found by digests.
    differences_found,
    /// Records received that were new.
    records_received_new,
    /// Records received that were here already.
    records_received_duplicate,
    /// Fragments of long MSGs received that were wanted.
    fragments_received,
    /// Fragments received that were here already or not asked for.
    fragments_unwanted,
    /// Pieces whose hash was wrong, charged to their sender.
    pieces_wrong,
    /// Records whose content does not match their name.
    records_wrong,
    /// Records that were not taken in, since they are older than the network keeps records.
    records_expired,
    /// Records that were not taken in, since their origin was forgotten.
    records_forgotten,
    /// Records that left: too old, or of an origin that was forgotten.
    records_left,
    /// Requests repeated after silence.
    requests_repeated,
    /// Rumours sent again after silence.
    rumors_repeated,
    /// Answers dropped since a peer's queue was full.
    answers_dropped,
    /// Sessions opened.
    sessions_opened,
}

impl Stats {
    /// Counts one dropped datagram.
    pub fn reject(&mut self, cause: Rejected) {
        self.rejected[cause as usize] += 1;
    }

    /// Counts a new record that came through so many nodes.
    pub fn count_hops(&mut self, hops: u8) {
        self.hops[usize::from(hops).min(HOPS - 1)] += 1;
    }

    /// How many datagrams were dropped for this cause.
    pub fn rejected(&self, cause: Rejected) -> u64 {
        self.rejected[cause as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_a_counter_of_its_own() {
        let mut stats = Stats::default();
        for &cause in Rejected::ALL {
            stats.reject(cause);
            assert_eq!(stats.rejected(cause), 1);
            assert_eq!(stats.by_name()[cause.name()], 1);
        }
    }
}
