//! [`Quality`]: how much comes from a peer, and how much of what it is asked stays unanswered. For people, not for the
//! protocol.

use crate::proto::time::Tick;
use std::time::Duration;

/// The span that rates are the mean of.
const SPAN: Duration = Duration::from_secs(10);
/// Probes of which a share is no longer taken for chance.
const ENOUGH: u32 = 8;

/// What came in this span and in the one before, and what became of the last 32 probes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Quality {
    span: u64,
    now: (u32, u64),
    before: (u32, u64),
    silences: u32,
    probes: u32,
}

impl Quality {
    /// A datagram of so many bytes came.
    pub(super) fn heard(&mut self, now: Tick, bytes: usize) {
        *self = self.at(now);
        self.now = (self.now.0.saturating_add(1), self.now.1.saturating_add(bytes as u64));
    }

    /// A probe was answered at once, or it was not.
    pub(super) fn probed(&mut self, answered: bool) {
        self.silences = self.silences << 1 | u32::from(!answered);
        self.probes = (self.probes + 1).min(u32::BITS);
    }

    /// Datagrams and bytes a second, on the mean of the last 10 s.
    pub(super) fn rate(&self, now: Tick) -> (f64, f64) {
        let quality = self.at(now);
        let span = SPAN.as_micros() as u64;
        // As much of the span before as is needed to make 10 s.
        let share = 1.0 - (now.0 % span) as f64 / span as f64;
        let mean = |now: f64, before: f64| (now + before * share) / SPAN.as_secs_f64();
        (mean(quality.now.0.into(), quality.before.0.into()), mean(quality.now.1 as f64, quality.before.1 as f64))
    }

    /// Which share of the last 32 probes was not answered at once; none where there were few.
    pub(super) fn loss(&self) -> Option<f64> {
        (self.probes >= ENOUGH).then(|| f64::from(self.silences.count_ones()) / f64::from(self.probes))
    }

    fn at(self, now: Tick) -> Quality {
        let span = now.0 / SPAN.as_micros() as u64;
        match span - self.span.min(span) {
            0 => self,
            1 => Quality { span, now: (0, 0), before: self.now, ..self },
            _ => Quality { span, now: (0, 0), before: (0, 0), ..self },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_the_mean_of_ten_seconds_and_fades() {
        let mut quality = Quality::default();
        let at = |tenth: u64| Tick(tenth * 100_000);
        (0..200).for_each(|tenth| quality.heard(at(tenth), 100));
        let (datagrams, bytes) = quality.rate(at(200));
        assert!((9.9..=10.1).contains(&datagrams) && (990.0..=1010.0).contains(&bytes), "{datagrams} {bytes}");
        let (half, _) = quality.rate(at(250));
        assert!((4.9..=5.1).contains(&half), "{half}");
        assert_eq!(quality.rate(at(400)), (0.0, 0.0));
    }

    #[test]
    fn the_loss_is_of_the_last_probes_and_unknown_while_these_are_few() {
        let mut quality = Quality::default();
        (0..7).for_each(|_| quality.probed(false));
        assert_eq!(quality.loss(), None);
        quality.probed(true);
        assert_eq!(quality.loss(), Some(7.0 / 8.0));
        (0..32).for_each(|probe| quality.probed(probe % 4 > 0));
        assert_eq!(quality.loss(), Some(0.25));
    }
}
