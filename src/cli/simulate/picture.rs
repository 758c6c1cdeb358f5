//! The infection curve: how many of the nodes have a record, against time, drawn with block characters.

use std::fmt::Write as _;

const WIDTH: usize = 60;
const HEIGHT: usize = 10;
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII: [char; 9] = [' ', ' ', '.', '.', ':', ':', '|', '#', '#'];

/// Draws the times in milliseconds at which 0, 1, ... 100 of 100 had it; nothing if there are none.
pub fn curve(times: &[Option<f64>], ascii: bool) -> String {
    let Some(end) = end(times) else { return String::new() };
    let shares: Vec<f64> = (0..WIDTH).map(|column| share(times, end * (column as f64 + 0.5) / WIDTH as f64)).collect();
    let (blocks, corner, side, floor) = if ascii { (ASCII, '+', '|', '-') } else { (BLOCKS, '└', '│', '─') };
    let mut out = String::from("\n  nodes that have a record\n");
    for row in (0..HEIGHT).rev() {
        let label = match row {
            _ if row + 1 == HEIGHT => "100 %",
            _ if row + 1 == HEIGHT / 2 => " 50 %",
            _ => "",
        };
        let cell = |share: &f64| blocks[((share * HEIGHT as f64 - row as f64).clamp(0.0, 1.0) * 8.0).round() as usize];
        let line: String = shares.iter().map(cell).collect();
        let _ = writeln!(out, "  {label:>5} {side}{}", line.trim_end());
    }
    let _ = writeln!(out, "    0 % {corner}{}", floor.to_string().repeat(WIDTH));
    let [half, full] = [end / 2.0, end].map(|ms| format!("{} ms", short(ms)));
    let (left, right) = (WIDTH / 2 - half.len() / 2, WIDTH - WIDTH / 2 - half.len() + half.len() / 2);
    let _ = writeln!(out, "        0{:left$}{half}{full:>right$}", "");
    match times.last() {
        Some(Some(last)) if *last > end => {
            let _ = writeln!(out, "  the last one after {} ms", short(*last));
        }
        Some(None) => out.push_str("  some have not got it\n"),
        _ => {}
    }
    out
}

/// Where the axis ends: behind the last, unless that is far behind all others.
fn end(times: &[Option<f64>]) -> Option<f64> {
    let at = |percent: usize| times.get(percent).copied().flatten();
    let known = at(99).or_else(|| times.iter().rev().find_map(|time| *time))?;
    let last = at(100).filter(|last| *last <= known * 2.0).unwrap_or(known);
    Some((last * 1.1).max(0.001))
}

/// Which share has it by then.
fn share(times: &[Option<f64>], ms: f64) -> f64 {
    let mut before = (0.0, 0.0);
    for (percent, time) in times.iter().enumerate() {
        let Some(time) = *time else { break };
        let share = percent as f64 / 100.0;
        if time > ms {
            let (time_before, share_before) = before;
            let way = if time > time_before { (ms - time_before) / (time - time_before) } else { 1.0 };
            return share_before + (share - share_before) * way;
        }
        before = (time, share);
    }
    before.1
}

/// Three digits that count.
pub fn short(number: f64) -> String {
    match number.abs() {
        size if size >= 100.0 => format!("{number:.0}"),
        size if size >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_rises_from_left_to_right() {
        let times: Vec<Option<f64>> = (0..=100).map(|percent| Some(f64::from(percent) / 20.0)).collect();
        let picture = curve(&times, true);
        let rows: Vec<&str> = picture.lines().filter(|line| line.contains('|')).collect();
        assert_eq!(rows.len(), HEIGHT);
        let filled = |row: &str| row.matches('#').count();
        assert!(rows.windows(2).all(|pair| filled(pair[0]) < filled(pair[1])), "{picture}");
        assert!(picture.contains("100 %") && picture.contains("5.50 ms") && picture.is_ascii());
        assert!(curve(&times, false).contains('█'));
    }

    #[test]
    fn what_never_came_is_said() {
        let mut times: Vec<Option<f64>> = (0..=100).map(|_| Some(1.0)).collect();
        times[100] = Some(500.0);
        assert!(curve(&times, true).contains("the last one after 500 ms"));
        times[100] = None;
        assert!(curve(&times, true).contains("some have not got it"));
        assert_eq!(curve(&[None], true), "");
    }
}
