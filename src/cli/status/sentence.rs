//! The sentence that says how all is, and the one that tells of the last split.

use super::super::paint::Paint;
use crate::api::{NetworkStatus, Peer, Reach, Split};
use crate::display::{age, clipped, counted, display_line};

/// Names that are told of many.
const NAMED: usize = 3;
/// Longest name in a sentence, in characters.
const NAME: usize = 24;
/// How long a split is told of, in seconds.
const LATELY: i64 = 24 * 3600;

/// Whether all is well; and if not, what is not.
pub fn of(status: &NetworkStatus, now: jiff::Timestamp, paint: Paint) -> String {
    let with = |reach| status.peers.iter().filter(|peer| peer.reach == reach).collect::<Vec<&Peer>>();
    let (reachable, suspect, gone) = (with(Reach::Reachable), with(Reach::Suspect), with(Reach::Unreachable));
    let in_sync = reachable.iter().filter(|peer| peer.in_sync).count();
    let name = clipped(&status.network_name, NAME);
    let name = display_line(&name);
    let reached = counted(reachable.len() as u64, "reachable peer");
    let behind = reachable.len() - in_sync;
    let mut troubles = Vec::new();
    if !gone.is_empty() {
        let since = gone.iter().filter_map(|peer| peer.since.as_ref()).min();
        let since = since.map(|since| format!(", since {}", ago(since, now))).unwrap_or_default();
        let verb = if gone.len() == 1 { "does" } else { "do" };
        troubles.push(format!("{} {verb} not answer{since}", names(&gone)));
    }
    if !suspect.is_empty() {
        let verb = if suspect.len() == 1 { "is" } else { "are" };
        troubles.push(format!("{} {verb} late", names(&suspect)));
    }
    if behind > 0 {
        troubles.push(format!("in sync with {in_sync} of {reached}"));
    }
    let sentence = match (reachable.len(), troubles.is_empty()) {
        (0, true) => return format!("{} {name}: alone", paint.warn("○")),
        (0, false) => return format!("{} {name}: alone: {}", paint.bad("○"), troubles.join("; ")),
        (_, true) => return format!("{} {name}: all is well: in sync with {reached}", paint.good("●")),
        (_, false) if gone.is_empty() && suspect.is_empty() => format!("catching up: {}", troubles.join("; ")),
        (_, false) if behind == 0 => format!("{}; in sync with the other {}", troubles.join("; "), reachable.len()),
        (_, false) => troubles.join("; "),
    };
    format!("{} {name}: {sentence}", paint.warn("◐"))
}

/// Who was apart from this node, from when to when, and what it took to be alike again.
pub fn split(node_name: &str, split: &Split, now: jiff::Timestamp) -> String {
    let lately = |to: jiff::Timestamp| now.as_second() - to.as_second() < LATELY;
    if !split.to.parse::<jiff::Timestamp>().is_ok_and(lately) {
        return String::new();
    }
    let mut told: Vec<String> = split.peers.iter().take(NAMED).map(|name| clipped(name, NAME)).collect();
    let others = split.peer_count.saturating_sub(told.len() as u64);
    if others > 0 {
        told.push(format!("{others} more"));
    }
    let all = joined(std::iter::once(clipped(node_name, NAME)).chain(told).collect());
    let exchanged = match (split.records, split.took_ms) {
        (Some(0), _) => "nothing was missing".to_owned(),
        (Some(records), Some(took)) => {
            let verb = if records == 1 { "was" } else { "were" };
            format!("{} {verb} exchanged in {}", counted(records, "record"), seconds(took))
        }
        _ => "they are catching up".to_owned(),
    };
    let (from, to) = (clock(&split.from, now), clock(&split.to, now));
    // Where minutes tell them apart, seconds are too much.
    let minutes = |time: &str| time.get(..5).filter(|_| time.len() == 8).map(str::to_owned);
    let (from, to) = match (minutes(&from), minutes(&to)) {
        (Some(earlier), Some(later)) if earlier != later => (earlier, later),
        _ => (from, to),
    };
    format!("{} were apart from {from} to {to}; {exchanged}\n", display_line(&all))
}

fn names(peers: &[&Peer]) -> String {
    let mut told: Vec<String> = peers.iter().take(NAMED).map(|peer| clipped(&peer.name, NAME)).collect();
    if peers.len() > NAMED {
        told.push(format!("{} more", peers.len() - NAMED));
    }
    display_line(&joined(told)).into_owned()
}

/// `a`, `a and b`, `a, b and c`.
fn joined(mut words: Vec<String>) -> String {
    match words.pop() {
        Some(last) if words.is_empty() => last,
        Some(last) => format!("{} and {last}", words.join(", ")),
        None => String::new(),
    }
}

/// The time of a day that is today's, else with its date.
fn clock(at: &str, now: jiff::Timestamp) -> String {
    let Ok(time) = at.parse::<jiff::Timestamp>() else { return display_line(at).into_owned() };
    let zone = jiff::tz::TimeZone::system();
    let (time, now) = (time.to_zoned(zone.clone()), now.to_zoned(zone));
    let format = if time.date() == now.date() { "%H:%M:%S" } else { "%Y-%m-%d %H:%M" };
    time.strftime(format).to_string()
}

/// When, and how long ago that is.
fn ago(at: &str, now: jiff::Timestamp) -> String {
    format!("{} ({})", clock(at, now), age(at, now))
}

fn seconds(millis: f64) -> String {
    if millis < 1000.0 { format!("{millis:.0} ms") } else { format!("{:.1} s", millis / 1000.0) }
}
