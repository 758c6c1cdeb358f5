//! [`Service`]: what a service manager (systemd: `Type=notify`, `WatchdogSec=`) hears of the daemon: that it is ready, that
//! it lives, how it is. That it lives is said only when the daemon's own task has answered: a task that is stuck is silent,
//! however well everything around it runs.

use crate::api::{NetworkStatus, Reach};
use crate::daemon::{Handle, ReloadError};
use crate::display::{counted, display_line};
use sd_notify::NotifyState;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;

/// Between two looks at how the daemon is.
const LOOK: Duration = Duration::from_secs(5);
/// How long a service manager may take to hear something before the daemon goes on without.
const PATIENCE: Duration = Duration::from_secs(1);
/// Signs of life in the time that the service manager gives for one.
const BEATS: u32 = 3;

type Tell = dyn Fn(&[NotifyState<'_>]) -> io::Result<()> + Send + Sync;

/// See the module. Where there is no service manager, nothing is said.
#[derive(Clone)]
pub struct Service {
    tell: Option<Arc<Tell>>,
    /// How long it waits for a sign of life.
    watchdog: Option<Duration>,
}

/// What there is to say.
enum Word {
    Ready(String),
    Status(String),
    Alive,
    Reloading,
    Stopping,
}

impl Service {
    /// The one that started this process, if one did.
    pub fn of_environment() -> Service {
        let tell = std::env::var_os("NOTIFY_SOCKET").map(|_| Arc::new(sd_notify::notify) as Arc<Tell>);
        Service { tell, watchdog: sd_notify::watchdog_enabled() }
    }

    /// A start may take long, where a damaged store is mended.
    pub async fn starting(&self) {
        self.say(Word::Status("opening the store".to_owned())).await;
    }

    /// The socket is bound and the store open.
    pub async fn ready(&self, handle: &Handle) {
        if self.tell.is_some() {
            self.say(Word::Ready(line(handle).await.unwrap_or_default())).await;
        }
    }

    /// Reads the configuration again on behalf of who has sent a signal, who sees what came of it in the log.
    pub async fn reload(&self, handle: &Handle) {
        self.say(Word::Reloading).await;
        if let Err(ReloadError::Refused(refusal)) = handle.reload().await {
            tracing::error!("not reloaded: {refusal}");
        }
        self.ready(handle).await;
    }

    /// It stops.
    pub async fn stopping(&self) {
        self.say(Word::Stopping).await;
    }

    /// Tells that the daemon lives and how it is, for as long as that is so.
    pub async fn watch(self, handle: Handle) {
        if self.tell.is_none() {
            return;
        }
        let mut beats = tokio::time::interval(self.watchdog.map_or(LOOK, |watchdog| watchdog / BEATS));
        let mut looks = tokio::time::interval(LOOK);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = String::new();
        loop {
            tokio::select! {
                _ = beats.tick() => {
                    if handle.ready().await.is_err() {
                        return;
                    }
                    if self.watchdog.is_some() {
                        self.say(Word::Alive).await;
                    }
                }
                _ = looks.tick() => {
                    let Some(line) = line(&handle).await else { return };
                    if line != last {
                        self.say(Word::Status(line.clone())).await;
                        last = line;
                    }
                }
            }
        }
    }

    /// Telling may block, so a thread of its own does, and nobody waits for ever.
    async fn say(&self, word: Word) {
        let Some(tell) = self.tell.clone() else { return };
        let told = tokio::task::spawn_blocking(move || match &word {
            Word::Ready(status) => tell(&[NotifyState::Ready, NotifyState::Status(status)]),
            Word::Status(status) => tell(&[NotifyState::Status(status)]),
            Word::Alive => tell(&[NotifyState::Watchdog]),
            // systemd 253 and later want to know when.
            Word::Reloading => tell(&[NotifyState::Reloading, NotifyState::monotonic_usec_now()?]),
            Word::Stopping => tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]),
        });
        match tokio::time::timeout(PATIENCE, told).await {
            Ok(Ok(Err(error))) => tracing::warn!("the service manager cannot be told how it goes: {error}"),
            Ok(_) => {}
            Err(_) => tracing::warn!("the service manager takes no news"),
        }
    }
}

/// How the daemon is, in one line; nothing where it is about to stop.
async fn line(handle: &Handle) -> Option<String> {
    let mut parts = Vec::new();
    for network in handle.node().networks {
        parts.push(told(&handle.status_network(Some(&network)).await.ok()?));
    }
    if parts.is_empty() {
        parts.push("in no network".to_owned());
    }
    parts.extend(handle.trouble().map(|trouble| format!("the disk takes no records: {trouble}")));
    let waiting = handle.waiting();
    if !waiting.is_empty() {
        parts.push(format!("restart for: {}", waiting.join(", ")));
    }
    Some(display_line(&parts.join("; ")).into_owned())
}

/// `home: 4 of 4 reachable, 311 records`.
fn told(status: &NetworkStatus) -> String {
    let NetworkStatus { network_name, gossip_count, peers, .. } = status;
    let (reachable, left) = (status.count(Reach::Reachable), status.count(Reach::Left));
    let here = peers.len() as u64 - left;
    format!("{network_name}: {reachable} of {here} reachable, {}", counted(*gossip_count, "record"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Home, Network, ServerFile};
    use crate::daemon::Daemon;
    use crate::proto::gossip::Guid;
    use crate::proto::seal::Secret;
    use std::sync::Mutex;
    use std::time::Instant;

    #[expect(clippy::disallowed_methods, reason = "a test of real time")]
    fn now() -> Instant {
        Instant::now()
    }

    type Notes = Arc<Mutex<Vec<(Instant, String)>>>;

    /// A service that notes what it is told, and when.
    fn noting(watchdog: Duration) -> (Service, Notes) {
        let notes = Notes::default();
        let noted = notes.clone();
        let tell = move |states: &[NotifyState<'_>]| {
            noted.lock().unwrap().extend(states.iter().map(|state| (now(), state.to_string())));
            Ok(())
        };
        (Service { tell: Some(Arc::new(tell)), watchdog: Some(watchdog) }, notes)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 3)]
    async fn a_task_that_is_stuck_is_silent_while_all_around_it_runs() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(dir.path().join("home"));
        home.create().unwrap();
        let mut file = ServerFile::new(Guid([7; 16]), "nas");
        (file.ip, file.port) = ([127, 0, 0, 1].into(), 0);
        file.networks.push(Network::new("home", Secret([7; 32])));
        file.save(&home.server_json()).unwrap();
        let daemon = Daemon::start(home).await.unwrap();
        let handle = daemon.handle();
        let (service, notes) = noting(Duration::from_millis(150));
        service.ready(&handle).await;
        let watch = tokio::spawn(service.watch(handle.clone()));
        let beats = |since: Instant| {
            notes.lock().unwrap().iter().filter(|(at, note)| *at >= since && note == "WATCHDOG=1").count()
        };
        let begun = now();
        while beats(begun) < 3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let (settling, stall) = (Duration::from_secs(1), Duration::from_secs(3));
        let stalled = now();
        handle.stall(stall).await.unwrap();
        // However slow this machine is, the task was stuck for so long. What was said before it had the stall in its hands
        // is on its way for a moment.
        let said = beats(stalled + settling) - beats(stalled + stall);
        assert_eq!(said, 0, "signs of life of a task that is stuck: {:?}", notes.lock().unwrap());
        let again = now();
        while beats(again) < 3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let said: Vec<String> = notes.lock().unwrap().iter().map(|(_, note)| note.clone()).collect();
        assert_eq!(said[..2], ["READY=1", "STATUS=home: 0 of 0 reachable, 0 records"]);
        handle.stop();
        daemon.stopped().await.unwrap();
        watch.await.expect("it ends with the daemon");
    }
}
