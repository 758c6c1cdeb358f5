//! [`Limit`]: a line that comes again and again is counted instead of written, so that a peer, a disk or a resolver that
//! is in trouble for hours cannot fill a journal. Every minute says how many were held back.

use super::Text;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// What is counted together.
const SPAN: Duration = Duration::from_secs(60);
/// Lines of the same text in a span.
const SAME: u32 = 5;
/// Lines of one place in the program in a span, whatever they say.
const PLACE: u32 = 30;

/// Counts of the places in the program that log: there are no more of them than the program has. Who asks for `debug` or
/// `trace` wants all of it, so these are not counted.
#[derive(Clone, Default)]
pub struct Limit {
    places: Arc<Mutex<BTreeMap<usize, Place>>>,
}

struct Place {
    metadata: &'static Metadata<'static>,
    until: Instant,
    written: u32,
    /// How often each text was written, by its hash: at most [`PLACE`] texts.
    texts: BTreeMap<u64, u32>,
    held_back: u64,
    /// The first text that was held back.
    example: String,
}

impl Limit {
    /// Whether a line is to be written.
    fn admits(&self, now: Instant, metadata: &'static Metadata<'static>, text: &str) -> bool {
        let mut places = self.places();
        let begin = || Place {
            metadata,
            until: now + SPAN,
            written: 0,
            texts: BTreeMap::new(),
            held_back: 0,
            example: String::new(),
        };
        let place = places.entry(std::ptr::from_ref(metadata).addr()).or_insert_with(begin);
        // What was held back in a span that is over is told by who looks for it.
        if place.until <= now && place.held_back == 0 {
            *place = begin();
        }
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let same = place.texts.get(&hasher.finish()).copied().unwrap_or_default();
        if same >= SAME || place.written >= PLACE {
            if place.held_back == 0 {
                place.example = text.chars().take(200).collect();
            }
            place.held_back += 1;
            return false;
        }
        place.texts.insert(hasher.finish(), same + 1);
        place.written += 1;
        true
    }

    /// Says of each span that is over (of all, where this is the end) how many lines it held back. Not for who is called
    /// by the logger.
    pub fn tell(&self, now: Instant, is_end: bool) {
        let mut told = Vec::new();
        self.places().retain(|_, place| {
            let is_over = place.until <= now || is_end;
            if is_over && place.held_back > 0 {
                told.push((place.metadata, place.held_back, std::mem::take(&mut place.example)));
            }
            !is_over
        });
        for (metadata, count, example) in told {
            let of = metadata.target();
            match *metadata.level() {
                Level::ERROR => tracing::error!(of, "{count} more suppressed, such as: {example}"),
                Level::WARN => tracing::warn!(of, "{count} more suppressed, such as: {example}"),
                _ => tracing::info!(of, "{count} more suppressed, such as: {example}"),
            }
        }
    }

    fn places(&self) -> MutexGuard<'_, BTreeMap<usize, Place>> {
        // Each change to it is complete when it is made.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Subscriber> Layer<S> for Limit {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if *metadata.level() > Level::INFO || metadata.target() == module_path!() {
            return true;
        }
        let Text { message, fields } = Text::of(event);
        self.admits(now(), metadata, &format!("{message}{fields}"))
    }
}

/// For the log.
#[expect(clippy::disallowed_methods, reason = "the log is of the shell, and has a clock")]
pub fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::callsite::Callsite;

    /// Two places that log.
    fn places() -> [&'static Metadata<'static>; 2] {
        let one = tracing::callsite! { name: "one", kind: tracing::metadata::Kind::EVENT, level: Level::WARN, fields: };
        let two = tracing::callsite! { name: "two", kind: tracing::metadata::Kind::EVENT, level: Level::WARN, fields: };
        [one.metadata(), two.metadata()]
    }

    #[test]
    fn what_is_said_again_is_counted_and_what_is_new_is_said() {
        let (limit, [one, two], start) = (Limit::default(), places(), now());
        let admitted = |at: Instant, place, text: &str, times: u32| {
            (0..times).filter(|_| limit.admits(at, place, text)).count() as u32
        };
        assert_eq!(admitted(start, one, "a", 100), SAME);
        assert_eq!(admitted(start, one, "b", 1), 1, "another cause is another line");
        assert_eq!(admitted(start, two, "a", 1), 1, "and so is another place");
        let many: u32 = (0..10_000).map(|n| admitted(start, one, &format!("from {n}"), 1)).sum();
        assert_eq!(many, PLACE - SAME - 1, "whatever strangers make of a text");
        assert!(limit.places().values().all(|place| place.texts.len() <= PLACE as usize));
        let later = start + SPAN;
        assert_eq!(admitted(later, one, "a", 1), 0, "until somebody has told how many there were");
        limit.tell(later, false);
        assert_eq!(admitted(later, one, "a", 100), SAME);
    }

    #[test]
    fn how_many_were_held_back_is_told_once() {
        let (limit, [one, two], start) = (Limit::default(), places(), now());
        let admitted = (0..SAME + 7).filter(|_| limit.admits(start, one, "the disk is full")).count();
        assert_eq!(admitted as u32, SAME);
        limit.admits(start, two, "quiet");
        let before = crate::daemon::Journal::of_process().last();
        let told = || {
            use tracing_subscriber::layer::SubscriberExt;
            let subscriber = tracing_subscriber::registry().with(limit.clone()).with(super::super::Keep);
            tracing::subscriber::with_default(subscriber, || limit.tell(start + SPAN, false));
            let log = crate::daemon::Journal::of_process().after(before, Level::INFO);
            log.lines.into_iter().filter(|line| line.target == module_path!().trim_end_matches("::tests")).collect()
        };
        let lines: Vec<_> = told();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].text.starts_with("7 more suppressed, such as: the disk is full"), "{lines:?}");
        assert_eq!((lines[0].level.as_str(), told().len()), ("warn", 1), "once");
    }
}
