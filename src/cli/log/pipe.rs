//! [`Pipe`]: from those who log to standard error, through a thread of its own. A journal that is slow, a terminal that is
//! stopped or a full disk behind standard error hold up that thread alone, never the daemon's task; what does not fit is
//! counted, and told when there is room again.

use super::LogFormat;
use super::limit::{Limit, now};
use super::lines::priority;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;
use tracing::Level;

/// Lines that wait to be written; each has a bounded length.
const LINES: usize = 1024;
/// Between two looks for what was held back.
const LOOK: Duration = Duration::from_secs(1);
/// Between two looks for room, when all is to be written before the end.
const GLANCE: Duration = Duration::from_millis(10);

enum Item {
    Line(String),
    /// All before it is written; say so.
    Flush(SyncSender<()>),
}

/// See the module.
#[derive(Clone)]
pub struct Pipe {
    lines: SyncSender<Item>,
    lost: Arc<AtomicU64>,
}

impl Pipe {
    /// Opens one that writes lines of such a format.
    pub fn open(format: LogFormat, limit: Limit) -> Pipe {
        Pipe::to(io::stderr(), format, limit)
    }

    fn to(out: impl Write + Send + 'static, format: LogFormat, limit: Limit) -> Pipe {
        let (lines, taken) = sync_channel(LINES);
        let lost = Arc::new(AtomicU64::new(0));
        let writer = Writer { out, format, limit, lost: lost.clone() };
        // Without the thread nothing is logged: no reason not to run.
        let _ = std::thread::Builder::new().name("log".to_owned()).spawn(move || writer.run(&taken));
        Pipe { lines, lost }
    }

    /// Has a line written, at once or not at all.
    pub fn write(&self, line: String) {
        if let Err(TrySendError::Full(_)) = self.lines.try_send(Item::Line(line)) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits so long for what was written so far.
    pub fn flush(&self, patience: Duration) {
        let (done, wait) = sync_channel(1);
        let (until, mut flush) = (now() + patience, Item::Flush(done));
        while let Err(failed) = self.lines.try_send(flush) {
            match failed {
                TrySendError::Full(back) if now() < until => flush = back,
                _ => return,
            }
            std::thread::sleep(GLANCE);
        }
        let _ = wait.recv_timeout(until.saturating_duration_since(now()));
    }
}

struct Writer<W> {
    out: W,
    format: LogFormat,
    limit: Limit,
    lost: Arc<AtomicU64>,
}

impl<W: Write> Writer<W> {
    fn run(mut self, lines: &Receiver<Item>) {
        let mut next = now() + LOOK;
        loop {
            match lines.recv_timeout(next.saturating_duration_since(now())) {
                Ok(Item::Line(line)) => self.write(&line),
                Ok(Item::Flush(done)) => {
                    self.limit.tell(now(), true);
                    while let Ok(Item::Line(line)) = lines.try_recv() {
                        self.write(&line);
                    }
                    let _ = done.send(());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if next <= now() {
                self.limit.tell(now(), false);
                next = now() + LOOK;
            }
        }
    }

    /// A log that nobody reads is no reason to stop.
    fn write(&mut self, line: &str) {
        let _ = self.out.write_all(line.as_bytes());
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let _ = self.out.write_all(self.lost_line(lost).as_bytes());
        }
    }

    fn lost_line(&self, lost: u64) -> String {
        let text = format!("{lost} lines are lost: the log is not read as fast as it is written");
        match self.format {
            LogFormat::Text => format!(" WARN {}: {text}\n", module_path!()),
            LogFormat::Journal => format!("<{}>{}: {text}\n", priority(Level::WARN), module_path!()),
            LogFormat::Json => format!("{}\n", serde_json::json!({ "level": "WARN", "message": text })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Mutex, mpsc};

    /// A reader that takes a line only when it is let.
    struct Slow {
        let_in: mpsc::Receiver<()>,
        read: Arc<Mutex<String>>,
    }

    impl Write for Slow {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            // Once nobody holds it up any more, it is fast.
            let _ = self.let_in.recv();
            self.read.lock().unwrap().push_str(&String::from_utf8_lossy(line));
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nobody_waits_for_a_log_that_is_not_read_and_what_is_lost_is_told() {
        let (let_go, let_in) = mpsc::channel();
        let read = Arc::new(Mutex::new(String::new()));
        let pipe = Pipe::to(Slow { let_in, read: read.clone() }, LogFormat::Journal, Limit::default());
        let began = now();
        (0..LINES + 500).for_each(|n| pipe.write(format!("line {n}\n")));
        pipe.flush(Duration::from_millis(10));
        assert!(now() - began < Duration::from_secs(5), "it held us up");
        drop(let_go);
        // It waits, however many are before it.
        pipe.flush(Duration::from_secs(60));
        let read = read.lock().unwrap();
        assert!(read.contains(&format!("line {}\n", LINES - 1)));
        let told: u64 =
            (read.lines().filter_map(|line| line.strip_prefix("<4>")?.split(' ').nth(1)?.parse::<u64>().ok())).sum();
        let written = read.lines().filter(|line| line.starts_with("line ")).count() as u64;
        assert_eq!(written + told, LINES as u64 + 500, "{told}");
        assert!(told >= 499, "{told}");
    }
}
