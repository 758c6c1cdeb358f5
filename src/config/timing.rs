//! How fast a node goes, as `server.json` says it: a [`Profile`], and in [`TimingFile`] single values that replace the
//! profile's. What cannot work together is refused with the relation that it breaks.

use super::error::ConfigError;
use super::fields::{self, show_duration};
use crate::proto::settings::Timing;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What every value of `timing` keeps to; zero is for `announce` alone.
const LONGEST: Duration = Duration::from_secs(3600);
/// Sends of a rumour to the peers of one table, of which the last may be the one that arrives.
const SENDS: u32 = 6;

/// The values that `timing` does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Hosts on a LAN that may be busy.
    #[default]
    Lan,
    /// Knows of a crash sooner, and suspects more.
    Fast,
}

/// `timing`: what is said here replaces the profile's value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimingFile {
    /// Between two probes, where GOSSIP_TIMER is not less.
    #[serde(with = "fields::some_duration", skip_serializing_if = "Option::is_none")]
    pub probe_period: Option<Duration>,
    /// How long a peer has for its answer to a probe.
    #[serde(skip_serializing_if = "Span::is_empty")]
    pub probe_timeout: Span,
    /// Least time that a suspected peer has to object.
    #[serde(with = "fields::some_duration", skip_serializing_if = "Option::is_none")]
    pub suspicion: Option<Duration>,
    /// How many times that is the longest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspicion_most: Option<u32>,
    /// Between two datagrams of news of peers beside the probe.
    #[serde(with = "fields::some_duration", skip_serializing_if = "Option::is_none")]
    pub update_gap: Option<Duration>,
    /// Between two datagrams of records for one peer.
    #[serde(with = "fields::some_duration", skip_serializing_if = "Option::is_none")]
    pub record_gap: Option<Duration>,
    /// Between two acknowledgements for one peer.
    #[serde(with = "fields::some_duration", skip_serializing_if = "Option::is_none")]
    pub heard_gap: Option<Duration>,
    /// Between two announcements of what is newly held; zero: none are made.
    #[serde(with = "fields::some_duration", skip_serializing_if = "Option::is_none")]
    pub announce: Option<Duration>,
    /// How long something announced has to come by itself.
    #[serde(with = "fields::some_duration", skip_serializing_if = "Option::is_none")]
    pub grace: Option<Duration>,
    /// Before a rumour that was not acknowledged is sent again.
    #[serde(with = "fields::some_duration", skip_serializing_if = "Option::is_none")]
    pub rumor_timeout: Option<Duration>,
    /// For how long rumours are passed on to the same peers.
    #[serde(skip_serializing_if = "Span::is_empty")]
    pub table_age: Span,
}

/// The least and the greatest of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Span {
    /// The least.
    #[serde(with = "fields::some_duration", skip_serializing_if = "Option::is_none")]
    pub least: Option<Duration>,
    /// The greatest.
    #[serde(with = "fields::some_duration", skip_serializing_if = "Option::is_none")]
    pub most: Option<Duration>,
}

impl Span {
    fn is_empty(&self) -> bool {
        *self == Span::default()
    }

    fn or(self, (least, most): (Duration, Duration)) -> (Duration, Duration) {
        (self.least.unwrap_or(least), self.most.unwrap_or(most))
    }
}

impl TimingFile {
    /// Whether all is the profile's.
    pub fn is_empty(&self) -> bool {
        *self == TimingFile::default()
    }

    /// The timing of a node with this GOSSIP_TIMER. What nobody said fits it: short periods have short probes, and
    /// long ones long suspicions.
    pub fn timing(&self, profile: Profile, gossip_timer: Duration) -> Timing {
        let base = match profile {
            Profile::Lan => Timing::LAN,
            Profile::Fast => Timing::FAST,
        };
        let probe_period = self.probe_period.unwrap_or(base.probe_period);
        let period = probe_period.min(gossip_timer);
        let probe = (base.probe_timeout.0.min(period / 4), base.probe_timeout.1.min(period * 3 / 4));
        Timing {
            probe_period,
            probe_timeout: self.probe_timeout.or(probe),
            suspicion: self.suspicion.unwrap_or(base.suspicion.max(period)),
            suspicion_most: self.suspicion_most.unwrap_or(base.suspicion_most),
            update_gap: self.update_gap.unwrap_or(base.update_gap),
            record_gap: self.record_gap.unwrap_or(base.record_gap),
            heard_gap: self.heard_gap.unwrap_or(base.heard_gap),
            announce: self.announce.unwrap_or(base.announce),
            grace: self.grace.unwrap_or(base.grace),
            rumor_timeout: self.rumor_timeout.unwrap_or(base.rumor_timeout),
            table_age: self.table_age.or(base.table_age),
        }
    }
}

/// A value by its key.
type Named = (&'static str, Duration);

/// What has to hold between two values, and why.
struct Relation {
    left: Named,
    must: &'static str,
    right: Named,
    holds: bool,
    why: &'static str,
}

fn less(left: Named, right: Named, why: &'static str) -> Relation {
    Relation { left, must: "must be less than", right, holds: left.1 < right.1, why }
}

fn at_most(left: Named, right: Named, why: &'static str) -> Relation {
    Relation { left, must: "must not be more than", right, holds: left.1 <= right.1, why }
}

fn relations(timing: &Timing, gossip_timer: Duration) -> [Relation; 9] {
    let timer = ("gossip_timer", gossip_timer);
    let probe_period = ("timing.probe_period", timing.probe_period);
    let period = if probe_period.1 < timer.1 { probe_period } else { timer };
    let probe_least = ("timing.probe_timeout.least", timing.probe_timeout.0);
    let probe_most = ("timing.probe_timeout.most", timing.probe_timeout.1);
    let suspicion = ("timing.suspicion", timing.suspicion);
    let update_gap = ("timing.update_gap", timing.update_gap);
    let record_gap = ("timing.record_gap", timing.record_gap);
    let heard_gap = ("timing.heard_gap", timing.heard_gap);
    let grace = ("timing.grace", timing.grace);
    let rumor_timeout = ("timing.rumor_timeout", timing.rumor_timeout);
    let sends = ("6 times timing.rumor_timeout", timing.rumor_timeout * SENDS);
    let table_least = ("timing.table_age.least", timing.table_age.0);
    let table_most = ("timing.table_age.most", timing.table_age.1);
    [
        at_most(probe_least, probe_most, "the least is not above the most"),
        less(probe_most, period, "a probe has to end before the next begins"),
        at_most(period, suspicion, "who is suspected must be probed once more before it counts as gone"),
        less(update_gap, suspicion, "an objection has to travel before the suspicion ends"),
        less(record_gap, rumor_timeout, "a rumour that still waits for its datagram would be sent twice"),
        less(heard_gap, rumor_timeout, "a rumour whose acknowledgement still waits would be sent twice"),
        at_most(record_gap, grace, "a record that still waits for its datagram would be pulled as well"),
        at_most(sends, table_least, "a rumour is sent up to 6 times to the peers of one table"),
        at_most(table_least, table_most, "the least is not above the most"),
    ]
}

/// Refuses values, and combinations of them, with which a node could not work.
pub(super) fn check(file: &TimingFile, profile: Profile, gossip_timer: Duration) -> Result<(), ConfigError> {
    let timing = file.timing(profile, gossip_timer);
    for (key, value) in [
        ("timing.probe_period", timing.probe_period),
        ("timing.probe_timeout.least", timing.probe_timeout.0),
        ("timing.probe_timeout.most", timing.probe_timeout.1),
        ("timing.suspicion", timing.suspicion),
        ("timing.update_gap", timing.update_gap),
        ("timing.record_gap", timing.record_gap),
        ("timing.heard_gap", timing.heard_gap),
        ("timing.announce", timing.announce),
        ("timing.grace", timing.grace),
        ("timing.rumor_timeout", timing.rumor_timeout),
        ("timing.table_age.least", timing.table_age.0),
        ("timing.table_age.most", timing.table_age.1),
    ] {
        let may_be_zero = key == "timing.announce";
        if value > LONGEST || (value.is_zero() && !may_be_zero) {
            let hint =
                if may_be_zero { "say a time up to 1h; 0 is none at all" } else { "say a time above 0, up to 1h" };
            return Err(ConfigError::value(key, format!("is {}", show_duration(value)), hint));
        }
    }
    if !(1..=100).contains(&timing.suspicion_most) {
        let problem = format!("is {}", timing.suspicion_most);
        return Err(ConfigError::value("timing.suspicion_most", problem, "say a number from 1 to 100"));
    }
    match relations(&timing, gossip_timer).iter().find(|relation| !relation.holds) {
        None => Ok(()),
        Some(Relation { left, must, right, why, .. }) => {
            let (is, other) = (show_duration(left.1), show_duration(right.1));
            Err(ConfigError::value(left.0, format!("({is}) {must} {} ({other})", right.0), *why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn millis(millis: u64) -> Option<Duration> {
        Some(Duration::from_millis(millis))
    }

    fn refused(file: TimingFile) -> String {
        check(&file, Profile::Lan, SECOND).expect_err("it should be refused").to_string()
    }

    #[test]
    fn profiles_work_with_every_gossip_timer() {
        let file = TimingFile::default();
        for timer in [10, 50, 200, 500, 1000, 2000, 60_000, 3_600_000].map(Duration::from_millis) {
            for profile in [Profile::Lan, Profile::Fast] {
                check(&file, profile, timer).unwrap_or_else(|error| panic!("{profile:?} {timer:?}: {error}"));
            }
        }
        assert_eq!(file.timing(Profile::Lan, SECOND), Timing::LAN);
        assert_eq!(file.timing(Profile::Fast, SECOND), Timing::FAST);
    }

    #[test]
    fn every_relation_is_named_by_who_breaks_it() {
        let long = Duration::from_secs(100);
        let span = |least, most| Span { least, most };
        let none = TimingFile::default;
        for (file, parts) in [
            (
                TimingFile { probe_timeout: span(None, millis(2000)), ..none() },
                ["timing.probe_timeout.most (2s) must be less than gossip_timer (1s)", "a probe has to end before"],
            ),
            (
                TimingFile { probe_period: millis(200), probe_timeout: span(None, millis(300)), ..none() },
                ["timing.probe_timeout.most (300ms) must be less than timing.probe_period (200ms)", "before the next"],
            ),
            (
                TimingFile { probe_timeout: span(millis(400), None), ..none() },
                ["timing.probe_timeout.least (400ms) must not be more than timing.probe_timeout.most (300ms)", "least"],
            ),
            (
                TimingFile { suspicion: millis(500), ..none() },
                ["gossip_timer (1s) must not be more than timing.suspicion (500ms)", "probed once more"],
            ),
            (
                TimingFile { update_gap: millis(2000), ..none() },
                ["timing.update_gap (2s) must be less than timing.suspicion (2s)", "objection"],
            ),
            (
                TimingFile { record_gap: millis(10), ..none() },
                ["timing.record_gap (10ms) must be less than timing.rumor_timeout (10ms)", "twice"],
            ),
            (
                TimingFile { heard_gap: millis(20), ..none() },
                ["timing.heard_gap (20ms) must be less than timing.rumor_timeout (10ms)", "acknowledgement"],
            ),
            (
                TimingFile { record_gap: millis(6), ..none() },
                ["timing.record_gap (6ms) must not be more than timing.grace (5ms)", "pulled"],
            ),
            (
                TimingFile { rumor_timeout: Some(long), ..none() },
                ["6 times timing.rumor_timeout (10m) must not be more than timing.table_age.least (10s)", "6 times"],
            ),
            (
                TimingFile { table_age: span(None, millis(1000)), ..none() },
                ["timing.table_age.least (10s) must not be more than timing.table_age.most (1s)", "least"],
            ),
        ] {
            let error = refused(file);
            parts.iter().for_each(|part| assert!(error.contains(part), "{part} in {error}"));
        }
        let timing = Timing::LAN;
        assert_eq!(relations(&timing, SECOND).len(), 9, "each relation has its case above");
    }

    #[test]
    fn values_have_bounds() {
        assert!(refused(TimingFile { grace: millis(0), ..TimingFile::default() }).contains("timing.grace is 0s"));
        assert!(refused(TimingFile { suspicion: millis(7_200_000), ..TimingFile::default() }).contains("is 2h"));
        assert!(refused(TimingFile { suspicion_most: Some(0), ..TimingFile::default() }).contains("from 1 to 100"));
        let silent = TimingFile { announce: millis(0), ..TimingFile::default() };
        check(&silent, Profile::Lan, SECOND).unwrap();
    }
}
