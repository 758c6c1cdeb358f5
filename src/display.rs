//! How we show things to people: hostile text made harmless ([`display_safe`]), times, sizes, tables. What programs read
//! (JSON, `read --raw`) does not come through here.

use crate::proto::gossip::is_unseen;
use crate::proto::time::Timestamp;
use std::borrow::Cow;
use std::fmt::{Display, Write as _};

/// Whether a character could act on a terminal or deceive a reader instead of being seen: C0 except newline and tab, DEL,
/// C1, the bidirectional controls and the characters without width.
pub fn is_hostile(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        c => c.is_control() || is_unseen(c),
    }
}

/// Text of strangers as it may be shown: every hostile character becomes its escape (`\u{1b}`), all others stay. Every
/// output to people goes through this, or somebody's message could move the cursor, rename the window or show itself
/// backwards.
pub fn display_safe(text: &str) -> Cow<'_, str> {
    replaced(text, is_hostile, |out, c| out.extend(c.escape_unicode()))
}

/// [`display_safe`] for places that hold one line: newlines and tabs become spaces.
pub fn display_line(text: &str) -> Cow<'_, str> {
    let hostile = |c| is_hostile(c) || c == '\n' || c == '\t';
    replaced(text, hostile, |out, c| match c {
        '\n' | '\t' => out.push(' '),
        c => out.extend(c.escape_unicode()),
    })
}

fn replaced(text: &str, which: impl Fn(char) -> bool, mut by: impl FnMut(&mut String, char)) -> Cow<'_, str> {
    if !text.contains(&which) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if which(c) { by(&mut out, c) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// JSON that says the same and may be shown: hostile characters in its texts become escapes of JSON.
pub fn json_safe(json: &str) -> Cow<'_, str> {
    // Between texts there are none but newlines; in them JSON itself escapes C0.
    replaced(json, is_hostile, |out, c| {
        let mut units = [0; 2];
        for unit in c.encode_utf16(&mut units) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    })
}

/// Text of at most so many characters; what has more ends in a mark.
pub fn clipped(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// Bytes as two digits each.
pub fn hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a text does not fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

/// What is shown as one word of a command line, in quotes where a shell wants them.
pub fn quoted(word: impl Display) -> String {
    let word = word.to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) { word } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// RFC 3339 in UTC with microseconds. A date beyond the year 9999, which a stranger may claim, is shown as its end.
pub fn rfc3339(time: Timestamp) -> String {
    let time = i64::try_from(time.0).ok().and_then(|micros| jiff::Timestamp::from_microsecond(micros).ok());
    time.unwrap_or(jiff::Timestamp::MAX).strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// A time of the API in the reader's own time zone, to the second; as it came if it is no time.
pub fn local_time(rfc3339: &str) -> String {
    local(rfc3339, "%Y-%m-%d %H:%M:%S")
}

/// The same to the millisecond, for what follows closely on something else.
pub fn local_millis(rfc3339: &str) -> String {
    local(rfc3339, "%Y-%m-%d %H:%M:%S.%3f")
}

fn local(rfc3339: &str, format: &str) -> String {
    match rfc3339.parse::<jiff::Timestamp>() {
        Ok(time) => time.to_zoned(jiff::tz::TimeZone::system()).strftime(format).to_string(),
        Err(_) => display_line(rfc3339).into_owned(),
    }
}

/// How long ago a time of the API was: `now`, `3 s ago`, `2 min ago`, `5 h ago`, `4 d ago`.
pub fn age(rfc3339: &str, now: jiff::Timestamp) -> String {
    let Ok(time) = rfc3339.parse::<jiff::Timestamp>() else { return display_line(rfc3339).into_owned() };
    match now.as_second().saturating_sub(time.as_second()) {
        ..1 => "now".into(),
        seconds @ 1..120 => format!("{seconds} s ago"),
        seconds @ 120..7200 => format!("{} min ago", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h ago", seconds / 3600),
        seconds => format!("{} d ago", seconds / 86_400),
    }
}

/// Bytes in the unit that suits them.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// The start of a GUID or hash: enough to tell it from others, and `read` takes it.
pub fn short(name: &str) -> Cow<'_, str> {
    display_line(name.get(..8).unwrap_or(name))
}

/// `1 record`, `3 records`: the plain plural.
pub fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Lines with aligned columns, two spaces in, a line each; all cells are made safe here. A column is as wide as its widest
/// cell is on a terminal.
#[cfg(feature = "cli")]
pub fn columns(rows: &[Vec<String>]) -> String {
    use unicode_width::UnicodeWidthStr;
    let rows: Vec<Vec<Cow<'_, str>>> =
        rows.iter().map(|row| row.iter().map(|cell| display_line(cell)).collect()).collect();
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max();
    let widths: Vec<usize> = (0..count).map(|column| width(column).unwrap_or(0)).collect();
    let mut out = String::new();
    for row in &rows {
        let mut line = String::from(" ");
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, " {cell}{:1$} ", "", width - cell.width());
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The same under a heading.
#[cfg(feature = "cli")]
pub fn table(heading: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let heading = heading.iter().map(|&word| word.to_owned()).collect();
    columns(&std::iter::once(heading).chain(rows).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_control_bidi_and_widthless_character_is_escaped() {
        let c0 = ('\0'..='\u{1F}').filter(|c| *c != '\n' && *c != '\t');
        let others = "\u{202A}\u{202B}\u{202C}\u{202D}\u{202E}\u{2066}\u{2067}\u{2068}\u{2069}\
                      \u{200B}\u{200C}\u{200D}\u{200E}\u{200F}\u{2060}\u{FEFF}\u{061C}\u{2061}\u{2064}\u{206A}\u{206F}";
        for c in c0.chain('\u{7F}'..='\u{9F}').chain(others.chars()) {
            let shown = display_safe(&format!("a{c}b")).into_owned();
            assert_eq!(shown, format!("a\\u{{{:x}}}b", u32::from(c)));
            assert_eq!(display_line(&format!("a{c}b")), shown);
        }
    }

    #[test]
    fn a_word_of_a_command_line_is_quoted_where_it_must_be() {
        for (word, shown) in
            [("/var/lib/x-1", "/var/lib/x-1"), ("", "''"), ("/srv/my node", "'/srv/my node'"), ("it's", r"'it'\''s'")]
        {
            assert_eq!(quoted(word), shown);
        }
    }

    #[test]
    fn all_else_stays_as_it_is_and_is_not_copied() {
        for text in ["plain\ttext\n", "grüße, 你好, \u{1F54A}", "\u{A0}\u{2028}\\u{1b}", ""] {
            assert!(matches!(display_safe(text), Cow::Borrowed(same) if same == text), "{text:?}");
        }
        assert_eq!(display_line("a\tb\nc"), "a b c");
    }

    #[test]
    fn nothing_that_acts_on_a_terminal_comes_through_however_it_is_mixed() {
        use rand::{RngExt, SeedableRng};
        let mut rng = rand::rngs::ChaCha8Rng::seed_from_u64(7);
        let fragments =
            ["\u{1b}[2J", "\u{1b}]0;x\u{7}", "\u{9b}31m", "\u{202e}", "\r\n", "\\u001b", "\"", "鳩", "a", "\0"];
        for _ in 0..100_000 {
            let text: String = (0..rng.random_range(0..12))
                .map(|_| match rng.random_range(0..3) {
                    0 => fragments[rng.random_range(0..fragments.len())].to_owned(),
                    1 => char::from_u32(rng.random_range(0..0x2100)).map(String::from).unwrap_or_default(),
                    _ => rng.random::<char>().to_string(),
                })
                .collect();
            let (safe, line) = (display_safe(&text), display_line(&text));
            assert!(!safe.contains(is_hostile), "{text:?}");
            assert!(!line.contains(|c| is_hostile(c) || c == '\n' || c == '\t'), "{text:?}");
            assert_eq!(display_safe(&safe), safe, "what is safe stays as it is");
            assert!(text.chars().any(is_hostile) || safe == text, "and so does what was");
            let json = serde_json::to_string(&text).unwrap();
            let shown = json_safe(&json);
            assert!(!shown.contains(|c| is_hostile(c) || c == '\n'), "{text:?}");
            assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
            assert!(clipped(&text, 5).chars().count() <= 5);
        }
    }

    #[test]
    fn times_have_microseconds_and_no_date_is_too_late_to_be_shown() {
        assert_eq!(rfc3339(Timestamp(0)), "1970-01-01T00:00:00.000000Z");
        assert_eq!(rfc3339(Timestamp(1_700_000_000_000_042)), "2023-11-14T22:13:20.000042Z");
        assert!(rfc3339(Timestamp(u64::MAX)).starts_with("9999-12-30T"));
        assert!(rfc3339(Timestamp(i64::MAX as u64)).starts_with("9999-12-30T"));
    }

    #[test]
    fn ages_are_short() {
        let now: jiff::Timestamp = "2026-01-10T12:00:00Z".parse().unwrap();
        for (then, age_then) in [
            ("2026-01-10T12:00:05Z", "now"),
            ("2026-01-10T12:00:00.000001Z", "now"),
            ("2026-01-10T11:59:57Z", "3 s ago"),
            ("2026-01-10T11:30:00Z", "30 min ago"),
            ("2026-01-10T07:00:00Z", "5 h ago"),
            ("2026-01-06T12:00:00Z", "4 d ago"),
            ("never\u{1b}", "never\\u{1b}"),
        ] {
            assert_eq!(age(then, now), age_then);
        }
    }

    #[test]
    fn sizes_have_units() {
        for (count, text) in
            [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (4 << 20, "4.0 MiB"), ((1 << 20) - 1, "1.0 MiB")]
        {
            assert_eq!(bytes(count), text);
        }
        assert!(bytes(u64::MAX).ends_with("PiB"));
    }

    #[test]
    #[cfg(feature = "cli")]
    fn columns_are_aligned_as_a_terminal_shows_them_and_safe() {
        let rows = ["ab", "c\u{1b}[2J\n", "鳩", "e\u{301}"].map(|cell| vec![cell.into(), "x".into()]);
        let shown =
            "  WHO          X\n  ab           x\n  c\\u{1b}[2J   x\n  鳩           x\n  e\u{301}            x\n";
        assert_eq!(table(&["WHO", "X"], rows), shown);
    }
}
