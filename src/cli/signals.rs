//! [`Signals`]: what ends a program.

use super::failure::{Exit, Failure};
use super::process::status;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and SIGINT: the first ends the program gracefully, the second at once. So does SIGHUP, where it is taken.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Option<Signal>,
}

impl Signals {
    /// Takes the signals; from here on they do not kill.
    pub fn take() -> Result<Signals, Failure> {
        let (terminate, interrupt) = (taken(SignalKind::terminate())?, taken(SignalKind::interrupt())?);
        Ok(Signals { terminate, interrupt, hangup: None })
    }

    /// With that of a terminal that is gone, unless `nohup` says not to mind: for who has something to clear away.
    pub fn take_all() -> Result<Signals, Failure> {
        let hangup = if is_ignored() { None } else { Some(taken(SignalKind::hangup())?) };
        Ok(Signals { hangup, ..Signals::take()? })
    }

    /// Returns at the first of them. Exit codes of those that a signal ended are 128 and its number.
    pub async fn first(&mut self) -> u8 {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = hangup => 128 + 1,
            _ = self.terminate.recv() => 128 + 15,
            _ = self.interrupt.recv() => 128 + 2,
        }
    }

    /// From here on any of them ends the program where it stands. What is promised is on disk already.
    pub fn now_kill(mut self) {
        tokio::spawn(async move {
            let code = self.first().await;
            std::process::exit(code.into());
        });
    }
}

/// A signal that from here on does not kill.
pub fn taken(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure::new(Exit::No, "cannot watch for signals").why(error.to_string()))
}

/// Whether whoever started us had SIGHUP ignored.
pub fn is_ignored() -> bool {
    let mask = status("self", "SigIgn");
    mask.and_then(|mask| u64::from_str_radix(&mask, 16).ok()).is_some_and(|mask| mask & 1 == 1)
}
