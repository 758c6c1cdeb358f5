//! [`Hangups`]: SIGHUP, which says two things: to a daemon, that it is to read its configuration again; to a program in a
//! terminal, that the terminal is gone.

use super::failure::Failure;
use super::signals::{is_ignored, taken};
use std::fs::File;
use tokio::signal::unix::{Signal, SignalKind};

/// What a SIGHUP means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hangup {
    /// Somebody wants the configuration read again.
    Reload,
    /// The terminal is gone, and with it who ran the program.
    Gone,
}

/// See the module.
pub struct Hangups {
    signal: Signal,
    /// Whether the end of the terminal is to end the program: it has one, and was not told by `nohup` to outlive it.
    is_bound: bool,
}

impl Hangups {
    /// Takes the signal; from here on it does not kill.
    pub fn take() -> Result<Hangups, Failure> {
        let is_bound = has_terminal() && !is_ignored();
        let signal = taken(SignalKind::hangup())?;
        Ok(Hangups { signal, is_bound })
    }

    /// Returns at the next.
    pub async fn next(&mut self) -> Hangup {
        self.signal.recv().await;
        if self.is_bound && !has_terminal() { Hangup::Gone } else { Hangup::Reload }
    }
}

/// Whether this process is still in the session of a terminal.
fn has_terminal() -> bool {
    File::open("/dev/tty").is_ok()
}
