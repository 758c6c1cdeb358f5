//! The two clocks: [`Tick`], monotonic, for every timer; [`Timestamp`], the wall clock, for what people read. They
//! never mix: no timer looks at the wall clock. What is held does, by the horizon (see `retention`), which follows another
//! node's clock by a step at most.

use std::time::Duration;

/// A point on this process's monotonic clock, in microseconds since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(pub u64);

impl Tick {
    /// The far end of time: a timer that is not set.
    pub const NEVER: Tick = Tick(u64::MAX);

    /// The time that has passed since `earlier`; zero if `earlier` is later.
    pub fn since(self, earlier: Tick) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for Tick {
    type Output = Tick;

    fn add(self, span: Duration) -> Tick {
        Tick(self.0.saturating_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }
}

/// A point in civil time, in microseconds since 1970-01-01T00:00:00Z. Shown to people and part of a record's name;
/// whether a record is valid never depends on what the clock says now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

/// So long before, or 1970.
impl std::ops::Sub<Duration> for Timestamp {
    type Output = Timestamp;

    fn sub(self, span: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_saturate_instead_of_wrapping() {
        assert_eq!(Tick::NEVER + Duration::from_secs(1), Tick::NEVER);
        assert_eq!(Tick(5).since(Tick(9)), Duration::ZERO);
        assert_eq!((Tick(5) + Duration::from_micros(7)).since(Tick(5)), Duration::from_micros(7));
    }
}
